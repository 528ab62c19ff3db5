// What a client library leaves to others: the person in front of the browser, and keeping the score.

import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'

const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** Undoes the escapes of an attribute's value. */
function unescape(text) {
  return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hex, name) => {
    if (decimal) return String.fromCodePoint(Number(decimal))
    if (hex) return String.fromCodePoint(Number.parseInt(hex, 16))
    return ENTITIES[name] ?? whole
  })
}

/** The attributes of one tag. */
function attributes(tag) {
  const pairs = [...tag.matchAll(/\s([\w-]+)(?:="([^"]*)")?/g)]
  return Object.fromEntries(pairs.map(([, name, value]) => [name, unescape(value ?? '')]))
}

/** The first form of a page that is sent to an address for which `wanted` holds. */
function findForm(html, wanted) {
  for (const [whole, tag] of html.matchAll(/(<form[^>]*>).*?<\/form>/gs)) {
    const { action, method } = attributes(tag)
    if (!wanted(action)) continue
    const fields = new URLSearchParams()
    for (const [input] of whole.matchAll(/<input[^>]*>/g)) {
      const { name, value } = attributes(input)
      fields.append(name, value ?? '')
    }
    assert.equal(method, 'post', `the form for ${action} is posted`)
    return { action, fields }
  }
  return undefined
}

/** A browser with a person who is logged in to the server. Only the server's own pages are opened. */
export class Person {
  #server
  #cookies = new Map()

  constructor(server) {
    this.#server = new URL(server)
  }

  async logIn(name, password) {
    const answer = await this.#send('/api/method/login', new URLSearchParams({ usr: name, pwd: password }))
    assert.equal(answer.status, 200, `the login of ${name}: ${await answer.text()}`)
    return this
  }

  /** Opens an app's link, presses Allow where the person is asked, and says where this led: a URL of the app. */
  async allow(link) {
    const arrived = await this.#open(link)
    assert.ok(arrived instanceof URL, `back at the app from ${link}`)
    return arrived
  }

  /** The same for `response_mode=form_post`: the request that the browser would send to the app. */
  async allowByPost(link) {
    const arrived = await this.#open(link)
    assert.ok(arrived instanceof Request, `a form for the app from ${link}`)
    return arrived
  }

  /** The same, pressing Deny. */
  async deny(link) {
    return this.#open(link, 'deny')
  }

  /** Opens an app's link for logging out and confirms it. */
  async logOut(link) {
    return this.#open(link)
  }

  async #open(link, decision = 'allow') {
    let answer = await this.#send(link)
    for (let steps = 0; steps < 10; steps++) {
      if ([302, 303].includes(answer.status)) {
        const next = new URL(answer.headers.get('location'), this.#server)
        if (next.origin !== this.#server.origin) return next
        answer = await this.#send(next)
        continue
      }
      const html = await answer.text()
      assert.equal(answer.status, 200, `a page of the server: ${html}`)
      const ours = findForm(html, (action) => action.includes('frappe.integrations.oauth2.'))
      if (ours) {
        if (ours.action.endsWith('.approve')) ours.fields.append('decision', decision)
        answer = await this.#send(ours.action, ours.fields)
        continue
      }
      const theirs = findForm(html, (action) => URL.canParse(action) && new URL(action).origin !== this.#server.origin)
      assert.ok(theirs, `a form to go on with in ${html}`)
      return new Request(theirs.action, { method: 'POST', body: theirs.fields })
    }
    throw new Error(`no end of redirects from ${link}`)
  }

  async #send(path, form) {
    const url = new URL(path, this.#server)
    assert.equal(url.origin, this.#server.origin, 'the link is one of the server')
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(url, {
      method: form ? 'POST' : 'GET',
      body: form,
      headers: { cookie, accept: 'text/html, application/json' },
      redirect: 'manual',
    })
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = line.match(/^([^=]+)=([^;]*)/)
      if (/;\s*max-age=0/i.test(line)) this.#cookies.delete(name)
      else this.#cookies.set(name, value)
    }
    return answer
  }
}

/** Runs one step; the first that fails ends the program with its reason. */
export async function step(name, run) {
  try {
    const result = await run()
    console.log(`ok      ${name}`)
    return result
  } catch (error) {
    console.error(`FAILED  ${name}`)
    console.error(error)
    process.exit(1)
  }
}

/** A variable that whoever starts the program must set. */
export function given(name) {
  const value = process.env[name]
  assert.ok(value, `${name} is not set`)
  return value
}

/** The program of docs/libraries.md that has `part` in it, as a module, with its blanks filled in as its reader would. */
export async function documented(part, blanks) {
  const page = await readFile(given('DOCUMENT'), 'utf8')
  const programs = [...page.matchAll(/^```js\n(.*?)^```$/gms)].map(([, program]) => program)
  let program = programs.find((candidate) => candidate.includes(part))
  assert.ok(program, `a program with ${part}`)
  for (const [blank, filled] of Object.entries(blanks)) {
    assert.ok(program.includes(blank), `${blank} is not in the program`)
    program = program.replaceAll(blank, filled)
  }
  const file = new URL('documented.mjs', import.meta.url)
  await writeFile(file, program)
  return import(file)
}

/** The blanks that all of its programs have. Without TLS, as on the loopback of a test, openid-client wants to be told so. */
export function blanks(server, id, secret) {
  return {
    'https://id.example.com': server,
    CLIENT_ID: id,
    CLIENT_SECRET: secret,
    'client.ClientSecretBasic())': 'client.ClientSecretBasic(), { execute: [client.allowInsecureRequests] })',
  }
}
