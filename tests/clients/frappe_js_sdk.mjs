// frappe-js-sdk (npm): documents and files, with a password and a cookie, with an API key, and with an access token.
//
//   node frappe_js_sdk.mjs password | key | bearer

import assert from 'node:assert/strict'
import sdk from 'frappe-js-sdk'
import { given, step } from './person.mjs'

const { FrappeApp } = sdk
const SERVER = given('SERVER')
const PERSON = given('PERSON')
const PASSWORD = given('PASSWORD')

/** What a browser does for the library: it keeps the cookies and sends them back. */
function withCookies(app) {
  const cookies = new Map()
  app.axios.interceptors.request.use((config) => {
    if (cookies.size > 0) config.headers.set('Cookie', [...cookies].map(([name, value]) => `${name}=${value}`).join('; '))
    return config
  })
  const keep = (answer) => {
    for (const line of answer?.headers['set-cookie'] ?? []) {
      const [, name, value] = line.match(/^([^=]+)=([^;]*)/)
      if (/;\s*max-age=0/i.test(line)) cookies.delete(name)
      else cookies.set(name, value)
    }
  }
  app.axios.interceptors.response.use(
    (answer) => (keep(answer), answer),
    (error) => (keep(error.response), Promise.reject(error)),
  )
  return cookies
}

/** Refused by the server with this status and exception, in a way the library understands. */
const refused = (status, exception) => (caught) => {
  assert.equal(caught.httpStatus, status, caught.exception)
  assert.equal(caught.exc_type, exception)
  assert.ok(caught.message && `${caught.exception}`.includes(exception), caught)
  return true
}

async function withPassword() {
  const app = new FrappeApp(SERVER)
  const cookies = withCookies(app)
  const auth = app.auth()
  await step('understands a wrong password', async () => {
    await assert.rejects(auth.loginWithUsernamePassword({ username: PERSON, password: `${PASSWORD}?` }), (caught) => {
      assert.equal(caught.message, 'Invalid login credentials')
      return refused(401, 'AuthenticationError')(caught)
    })
    await assert.rejects(auth.getLoggedInUser(), refused(403, 'PermissionError'))
  })
  await step('logs in with a password', async () => {
    const said = await auth.loginWithUsernamePassword({ username: PERSON, password: PASSWORD })
    assert.ok(['Logged In', 'No App'].includes(said.message) && said.full_name, said)
    assert.equal(await auth.getLoggedInUser(), PERSON)
  })
  await documents(app)
  await step('goes on with a cookie that it was given', async () => {
    const other = new FrappeApp(SERVER, undefined, 'with a cookie', { Cookie: `sid=${cookies.get('sid')}` })
    assert.equal(await other.auth().getLoggedInUser(), PERSON)
    assert.equal(await other.db().getCount('ToDo'), 25)
  })
  await step('logs out', async () => {
    await auth.logout()
    await assert.rejects(auth.getLoggedInUser(), refused(403, 'PermissionError'))
  })
}

async function withToken(type, token) {
  await step(`logs in with a token of type ${type}`, async () => {
    const app = new FrappeApp(SERVER, { useToken: true, token: () => token, type })
    assert.equal(await app.auth().getLoggedInUser(), PERSON)
    await documents(app)
  })
  await step('understands a wrong token', async () => {
    const app = new FrappeApp(SERVER, { useToken: true, token: () => `${token}x`, type })
    await assert.rejects(app.db().getDocList('ToDo'), refused(401, 'AuthenticationError'))
  })
}

const sorted = (names) => [...names].sort()
const namesOf = (rows) => sorted(rows.map((row) => row.name))

async function documents(app) {
  const db = app.db()
  const call = app.call()
  const milk = await step('creates', async () => {
    const created = await db.createDoc('ToDo', { description: 'Milk & honey für 100 %', priority: 'High', date: '2026-03-01' })
    assert.equal(created.owner, PERSON)
    assert.equal(created.description, 'Milk & honey für 100 %')
    assert.equal(created.status, 'Open')
    await assert.rejects(db.createDoc('ToDo', { priority: 'High' }), refused(417, 'MandatoryError'))
    await assert.rejects(db.createDoc('ToDo', { description: 'x', status: 'Lost' }), refused(417, 'ValidationError'))
    return created
  })
  const many = await step('inserts many', async () => {
    const docs = Array.from({ length: 25 }, (_, number) => ({ doctype: 'ToDo', description: `Task ${number}`, priority: 'Low' }))
    const { message } = await call.post('frappe.client.insert_many', { docs })
    assert.equal(new Set(message).size, 25)
    return message
  })
  await step('reads one', async () => {
    assert.deepEqual(await db.getDoc('ToDo', milk.name), milk)
    await assert.rejects(db.getDoc('ToDo', 'nosuch/%'), (caught) => {
      assert.deepEqual([caught.httpStatus, caught.exc_type], [404, 'DoesNotExistError'])
      return true
    })
  })
  await step('lists with filters, in an order, by pages', async () => {
    assert.equal((await db.getDocList('ToDo')).length, 20)
    const found = await db.getDocList('ToDo', {
      fields: ['name', 'description'],
      filters: [['description', 'like', 'Task 1%']],
      orderBy: { field: 'description', order: 'desc' },
      limit: 3,
      limit_start: 1,
    })
    assert.deepEqual(found.map((row) => row.description), ['Task 18', 'Task 17', 'Task 16'])
    const either = await db.getDocList('ToDo', { orFilters: [['name', '=', many[0]], ['priority', '=', 'High']] })
    assert.deepEqual(namesOf(either), sorted([many[0], milk.name]))
    const lists = await db.getDocList('ToDo', { fields: ['priority', 'name'], filters: [['name', 'in', [milk.name]]], asDict: false })
    assert.deepEqual(lists, [['High', milk.name]])
    assert.deepEqual(await db.getDocList('ToDo', { filters: [['ToDo', 'priority', '=', 'Medium']] }), [])
    await assert.rejects(db.getDocList('ToDo', { filters: [['nosuch', '=', 1]] }), refused(417, 'DataError'))
  })
  await step('groups', async () => {
    const rows = await db.getDocList('ToDo', {
      fields: ['priority', 'count(name) as how_many'],
      groupBy: 'priority',
      orderBy: { field: 'priority', order: 'asc' },
    })
    assert.deepEqual(rows, [{ priority: 'High', how_many: 1 }, { priority: 'Low', how_many: 25 }])
  })
  await step('counts', async () => {
    assert.equal(await db.getCount('ToDo'), 26)
    assert.equal(await db.getCount('ToDo', [['priority', '=', 'Low']]), 25)
  })
  await step('finds the last one', async () => {
    assert.deepEqual(await db.getLastDoc('ToDo', { filters: [['priority', '=', 'High']] }), milk)
  })
  await step('updates', async () => {
    const changed = await db.updateDoc('ToDo', milk.name, { status: 'Closed' })
    assert.deepEqual([changed.status, changed.description], ['Closed', milk.description])
    await assert.rejects(db.updateDoc('ToDo', milk.name, milk), refused(417, 'TimestampMismatchError'))
    const { message } = await db.setValue('ToDo', milk.name, 'priority', 'Medium')
    assert.equal(message.priority, 'Medium')
    await db.setValue('ToDo', milk.name, { priority: 'High', color: '#ff0000' })
    assert.deepEqual((await db.getValue('ToDo', ['priority', 'color'], [['name', '=', milk.name]])).message, {
      priority: 'High',
      color: '#ff0000',
    })
  })
  await step('gets values', async () => {
    assert.deepEqual((await db.getValue('ToDo', 'status', [['name', '=', milk.name]])).message, { status: 'Closed' })
    assert.deepEqual((await db.getValue('ToDo', 'name', [['description', '=', 'Task 7']])).message, { name: many[7] })
  })
  await step('renames', async () => {
    const contact = await db.createDoc('Contact', { first_name: 'Shopping', last_name: 'List' })
    const renamed = `${contact.name} / 50 % more?`
    assert.equal((await db.renameDoc('Contact', contact.name, renamed)).message, renamed)
    assert.equal((await db.getDoc('Contact', renamed)).first_name, 'Shopping')
    await assert.rejects(db.getDoc('Contact', contact.name), (caught) => caught.httpStatus === 404)
    await assert.rejects(db.renameDoc('ToDo', milk.name, 'Milk'), refused(417, 'ValidationError'))
    await db.deleteDoc('Contact', renamed)
  })
  await step('uploads files', async () => {
    const bytes = new Uint8Array(200_000).map((_, index) => index % 251)
    const seen = []
    const { data } = await app
      .file()
      .uploadFile(new File([bytes], 'numbers.bin'), { isPrivate: true, doctype: 'ToDo', docname: milk.name, folder: 'Home' }, (done, total) =>
        seen.push([done, total]),
      )
    const file = data.message
    assert.deepEqual([file.file_name, file.is_private, file.attached_to_name, file.file_size], ['numbers.bin', 1, milk.name, 200_000])
    assert.ok(file.file_url.startsWith('/private/files/') && seen.length > 0, file.file_url)
    const kept = await app.axios.get(file.file_url, { responseType: 'arraybuffer' })
    assert.ok(Buffer.from(kept.data).equals(Buffer.from(bytes)))
    const open = await app.file().uploadFile(new File(['hello'], 'hello.txt', { type: 'text/plain' }), { isPrivate: false })
    assert.ok(open.data.message.file_url.startsWith('/files/'), open.data.message.file_url)
    assert.equal(await (await fetch(SERVER + open.data.message.file_url)).text(), 'hello')
    assert.equal((await fetch(SERVER + file.file_url)).status, 403)
  })
  await step('deletes', async () => {
    await db.deleteDoc('ToDo', many[0])
    await assert.rejects(db.getDoc('ToDo', many[0]), (caught) => caught.httpStatus === 404)
    assert.equal(await db.getCount('ToDo'), 25)
  })
  await step('is refused what belongs to somebody else', async () => {
    const theirs = given('THEIRS')
    assert.deepEqual(await db.getDocList('ToDo', { filters: [['name', '=', theirs]] }), [])
    await assert.rejects(db.getDoc('ToDo', theirs), refused(403, 'PermissionError'))
    await assert.rejects(db.updateDoc('ToDo', theirs, { status: 'Closed' }), refused(403, 'PermissionError'))
    await assert.rejects(db.deleteDoc('ToDo', theirs), refused(403, 'PermissionError'))
  })
}

const scenarios = {
  password: withPassword,
  key: () => withToken('token', `${given('API_KEY')}:${given('API_SECRET')}`),
  bearer: () => withToken('Bearer', given('ACCESS_TOKEN')),
}
await scenarios[process.argv[2]]()
