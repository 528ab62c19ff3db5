// The MCP TypeScript SDK's clients (npm): `@modelcontextprotocol/client`, and `@modelcontextprotocol/sdk` which most
// hosts still run. They find everything by themselves: from a 401 or an address to the authorization server, to a
// registration, to tokens for exactly one resource.
//
//   node mcp_client.mjs api | server | document | machine

import assert from 'node:assert/strict'
import { MORE, SCOPE, serve } from './mcp_server.mjs'
import { given, Person, step } from './person.mjs'

const SERVER = given('SERVER')
// Where the server of mcp_server.mjs listens, which all scenarios but `api` need.
const MCP_SERVER = process.env.MCP_SERVER && new URL(process.env.MCP_SERVER)
const REDIRECT_URI = 'http://127.0.0.1:33418/callback'

/** What the two generations of the SDK call the same things. */
async function generation(name) {
  if (name === '@modelcontextprotocol/client') {
    return { ...(await import(name)), arrived: (parameters) => [parameters], asksForMore: true }
  }
  const parts = ['auth', 'auth-extensions', 'index', 'middleware', 'streamableHttp']
  const modules = await Promise.all(parts.map((part) => import(`${name}/client/${part}.js`)))
  return Object.assign({ arrived: (parameters) => [parameters.get('code')] }, ...modules)
}

/** A host's memory: the OAuthClientProvider of the documentation. */
class Host {
  /** `document`: where this host publishes what `clientMetadata` says, if it does. */
  constructor(document) {
    this.clientMetadataUrl = document
  }

  redirectUrl = REDIRECT_URI
  clientMetadata = {
    client_name: 'An MCP host',
    redirect_uris: [REDIRECT_URI],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  }
  #expected = crypto.randomUUID()
  #kept = {}

  state = () => this.#expected
  clientInformation = () => this.#kept.client
  saveClientInformation = (client) => void (this.#kept.client = client)
  tokens = () => this.#kept.tokens
  saveTokens = (tokens) => void (this.#kept.tokens = tokens)
  codeVerifier = () => this.#kept.verifier
  saveCodeVerifier = (verifier) => void (this.#kept.verifier = verifier)
  discoveryState = () => this.#kept.discovery
  saveDiscoveryState = (discovery) => void (this.#kept.discovery = discovery)
  redirectToAuthorization = (link) => void (this.link = link)

  invalidateCredentials(which) {
    throw new Error(`the server should not have made the SDK forget: ${which}`)
  }

  /** Sends the person to the link that the SDK made, and takes them back. */
  async ask(person) {
    const back = await person.allow(this.link)
    assert.equal(back.origin + back.pathname, REDIRECT_URI)
    assert.equal(back.searchParams.get('error'), null, `${back}`)
    assert.equal(back.searchParams.get('state'), this.#expected)
    assert.equal(back.searchParams.get('iss'), SERVER)
    return back.searchParams
  }
}

/** Ends an access token, as if its hour were over. */
async function expire(host) {
  const { revocation_endpoint: endpoint } = host.discoveryState().authorizationServerMetadata
  const { client_id } = host.clientInformation()
  const body = new URLSearchParams({ token: host.tokens().access_token, client_id })
  assert.equal((await fetch(endpoint, { method: 'POST', body })).status, 200)
}

/** The resource API itself, by nothing but its address. */
async function api(sdk, person) {
  const host = new Host()
  const address = `${SERVER}/api/resource/ToDo`
  await step('finds the server and registers', async () => {
    assert.equal(await sdk.auth(host, { serverUrl: address }), 'REDIRECT')
    assert.ok(host.clientInformation().client_id)
    assert.equal(host.link.searchParams.get('resource'), SERVER)
    assert.equal(host.link.searchParams.get('code_challenge_method'), 'S256')
  })
  await step('exchanges the code', async () => {
    const back = await host.ask(person)
    const more = { authorizationCode: back.get('code'), iss: back.get('iss') }
    assert.equal(await sdk.auth(host, { serverUrl: address, ...more }), 'AUTHORIZED')
    assert.ok(host.tokens().refresh_token)
  })
  const withToken = sdk.withOAuth(host, SERVER)(fetch)
  await step('uses the token', async () => {
    const answer = await withToken(address)
    assert.deepEqual([answer.status, await answer.json()], [200, { data: [] }])
  })
  await step('gets a new token by itself when the API says 401', async () => {
    const before = host.tokens()
    await expire(host)
    const answer = await withToken(address)
    assert.deepEqual([answer.status, await answer.json()], [200, { data: [] }])
    assert.notEqual(host.tokens().access_token, before.access_token)
    assert.notEqual(host.tokens().refresh_token, before.refresh_token)
  })
}

/** An MCP server elsewhere that trusts this authorization server. */
async function server(sdk, person, host = new Host()) {
  const connect = connector(sdk, host)
  await step('is sent away with a 401 that says where to ask, and gets itself known there', async () => {
    const { transport, connected } = connect()
    await assert.rejects(connected, sdk.UnauthorizedError)
    assert.equal(host.link.searchParams.get('resource'), `${MCP_SERVER}`)
    assert.ok(host.link.searchParams.get('scope').split(' ').includes(SCOPE), host.link)
    await transport.finishAuth(...sdk.arrived(await host.ask(person)))
    assert.ok(host.tokens().refresh_token)
  })
  const { client, transport, connected } = connect()
  await step('calls a tool with a token for this server', async () => {
    await connected
    assert.ok(await whoami(client))
  })
  await step('gets a new token by itself, for the same server', async () => {
    const before = host.tokens()
    await expire(host)
    assert.ok(await whoami(client))
    assert.notEqual(host.tokens().access_token, before.access_token)
  })
  // The previous generation refreshes instead, which gives it no more than it had (tests/clients/EXCEPTIONS.md).
  if (sdk.asksForMore) {
    await step('asks the user for more when a tool needs more, and keeps it', async () => {
      const reset = () => client.callTool({ name: 'reset', arguments: {} })
      await assert.rejects(reset, sdk.UnauthorizedError)
      assert.deepEqual(host.link.searchParams.get('scope').split(' ').filter((word) => word.startsWith('tools:')), [SCOPE, MORE])
      await transport.finishAuth(...sdk.arrived(await host.ask(person)))
      await reset()
      await expire(host)
      assert.equal((await reset()).content[0].text, 'done')
    })
  }
  await step('cannot use that token anywhere else', async () => {
    const authorization = `Bearer ${host.tokens().access_token}`
    for (const path of ['/api/resource/ToDo', '/api/method/frappe.integrations.oauth2.openid_profile']) {
      const answer = await fetch(new URL(path, SERVER), { headers: { authorization } })
      assert.equal(answer.status, 401, path)
      assert.match(answer.headers.get('www-authenticate'), /error="invalid_token".*resource_metadata="/)
    }
  })
  await step('and with a token for the API alone, the MCP server is not reached', async () => {
    const other = new Host(host.clientMetadataUrl)
    await sdk.auth(other, { serverUrl: SERVER })
    const back = await other.ask(person)
    await sdk.auth(other, { serverUrl: SERVER, authorizationCode: back.get('code'), iss: back.get('iss') })
    const headers = { authorization: `Bearer ${other.tokens().access_token}`, 'content-type': 'application/json' }
    const answer = await fetch(MCP_SERVER, { method: 'POST', headers, body: '{}' })
    assert.equal(answer.status, 401)
    assert.equal((await answer.json()).error, 'invalid_token')
  })
  await client.close()
}

/** The same for a host that registers nowhere: its id is where its description is (Client ID Metadata Document). */
async function document(sdk, person) {
  const host = new Host(given('CLIENT_METADATA_URL'))
  await server(sdk, person, host)
  assert.equal(host.clientInformation().client_id, host.clientMetadataUrl)
}

/** An agent without a person, with a secret and with a key of its own. */
async function machine(sdk) {
  const known = { expectedIssuer: SERVER, scope: SCOPE }
  const hosts = {
    'a secret': new sdk.ClientCredentialsProvider({
      clientId: given('MACHINE_ID'),
      clientSecret: given('MACHINE_SECRET'),
      ...known,
    }),
    'a key': new sdk.PrivateKeyJwtProvider({
      clientId: given('MACHINE_WITH_KEY'),
      privateKey: given('MACHINE_KEY'),
      algorithm: 'ES256',
      ...known,
    }),
  }
  for (const [proof, host] of Object.entries(hosts)) {
    const { client, connected } = connector(sdk, host)()
    await step(`gets a token of its own by ${proof} and calls a tool`, async () => {
      await connected
      assert.ok(await whoami(client))
      assert.equal(host.tokens().refresh_token, undefined)
    })
    await client.close()
  }
}

function connector(sdk, host) {
  return () => {
    const client = new sdk.Client({ name: 'a host', version: '1.0.0' })
    const transport = new sdk.StreamableHTTPClientTransport(MCP_SERVER, { authProvider: host })
    return { client, transport, connected: client.connect(transport) }
  }
}

async function whoami(client) {
  return (await client.callTool({ name: 'whoami', arguments: {} })).content[0].text
}

const scenario = { api, server, document, machine }[process.argv[2]]
assert.ok(scenario, 'which scenario?')
const person = await new Person(SERVER).logIn(given('PERSON'), given('PASSWORD'))
const listening = scenario === api || (await serve(MCP_SERVER, SERVER, [given('CLIENT_ID'), given('CLIENT_SECRET')]))
for (const name of ['@modelcontextprotocol/client', '@modelcontextprotocol/sdk']) {
  console.log(name)
  await scenario(await generation(name), person)
}
listening.close?.()
