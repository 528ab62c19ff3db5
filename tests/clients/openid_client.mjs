// openid-client (npm): a web app, a browser app and a machine, as its documentation writes them.
//
//   node openid_client.mjs documented | login | keys | checks | machine

import assert from 'node:assert/strict'
import * as client from 'openid-client'
import { blanks, documented, given, Person, step } from './person.mjs'

const server = new URL(given('SERVER'))
const REDIRECT_URI = 'https://app.example.com/callback'
const BYE = 'https://app.example.com/bye'
// The server of the test is on loopback, without TLS. Signatures are checked on top of what TLS vouches for.
const options = { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] }

const METHODS = {
  client_secret_basic: client.ClientSecretBasic,
  client_secret_post: client.ClientSecretPost,
  none: client.None,
}

/** Registers an app by its description (RFC 7591). */
function register(method, more = {}, authentication = METHODS[method]()) {
  const metadata = {
    client_name: `An app with ${method}`,
    redirect_uris: [REDIRECT_URI],
    post_logout_redirect_uris: [BYE],
    token_endpoint_auth_method: method,
    scope: 'openid profile email offline_access read',
    ...more,
  }
  return client.dynamicClientRegistration(server, metadata, authentication, options)
}

/** What an app keeps between sending the user away and their coming back. */
async function begin(config, more = {}) {
  const checks = {
    pkceCodeVerifier: client.randomPKCECodeVerifier(),
    expectedState: client.randomState(),
    expectedNonce: client.randomNonce(),
    idTokenExpected: true,
  }
  assert.ok(config.serverMetadata().supportsPKCE(), 'S256 is announced')
  const link = client.buildAuthorizationUrl(config, {
    redirect_uri: REDIRECT_URI,
    scope: 'openid profile email offline_access',
    code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    ...more,
  })
  return { link, checks }
}

/** Refused by the server with this error code, in a way the library understands. */
const refused = (error) => (caught) => {
  assert.equal(caught.error ?? caught.cause?.error, error, caught)
  return true
}

/** `invalid_client`. An app that sent its secret in the header gets a challenge, which the library shows instead of the error code. */
const refusedAsStranger = (method) => (caught) => {
  assert.equal(caught.status, 401, caught)
  if (method !== client.ClientSecretBasic) return refused('invalid_client')(caught)
  assert.equal(caught.code, 'OAUTH_WWW_AUTHENTICATE_CHALLENGE', caught)
  assert.equal(caught.cause[0].scheme, 'basic')
  return true
}

/** Refused by the library itself. */
const complains = (code) => (caught) => {
  assert.equal(caught.code, code, caught)
  return true
}

// The program of docs/libraries.md.
async function asDocumented() {
  const program = await documented('buildAuthorizationUrl', blanks(`${server}`, given('CLIENT_ID'), given('CLIENT_SECRET')))
  const person = await new Person(server).logIn(given('PERSON'), given('PASSWORD'))
  await step('logs the user in as docs/libraries.md says', async () => {
    const { link, checks } = await program.logIn()
    const { user, tokens } = await program.callback(await person.allow(link), checks)
    assert.equal(user.email, given('PERSON'))
    assert.ok(tokens.refresh_token)
  })
  await step('and notices an answer that is not its own', async () => {
    const { link } = await program.logIn()
    const { checks } = await program.logIn()
    await assert.rejects(program.callback(await person.allow(link), checks), complains('OAUTH_INVALID_RESPONSE'))
  })
}

async function login() {
  const person = await new Person(server).logIn(given('PERSON'), given('PASSWORD'))
  for (const method of Object.keys(METHODS)) {
    for (const algorithm of ['RS256', 'ES256', 'EdDSA']) {
      console.log(`${method}, ${algorithm}`)
      await wholeLogin(person, method, algorithm, () => register(method, { id_token_signed_response_alg: algorithm }))
    }
  }
}

// An app that proves itself with a key of its own (RFC 7523) instead of a secret.
async function keys() {
  const person = await new Person(server).logIn(given('PERSON'), given('PASSWORD'))
  const RSA = { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' }
  const kinds = { RS256: RSA, ES256: { name: 'ECDSA', namedCurve: 'P-256' }, EdDSA: { name: 'Ed25519' } }
  for (const [algorithm, kind] of Object.entries(kinds)) {
    console.log(`private_key_jwt, ${algorithm}`)
    const pair = await crypto.subtle.generateKey(kind, true, ['sign', 'verify'])
    const jwks = { keys: [{ ...(await crypto.subtle.exportKey('jwk', pair.publicKey)), kid: 'first' }] }
    const proof = client.PrivateKeyJwt({ key: pair.privateKey, kid: 'first' })
    const more = { jwks, id_token_signed_response_alg: algorithm }
    await wholeLogin(person, 'private_key_jwt', algorithm, () => register('private_key_jwt', more, proof))

    await step('nobody else can pose as it', async () => {
      const { client_id } = (await register('private_key_jwt', more, proof)).clientMetadata()
      const strange = await crypto.subtle.generateKey(kind, true, ['sign', 'verify'])
      const others = [client.PrivateKeyJwt(strange.privateKey), client.None(), client.ClientSecretPost('a guess')]
      for (const other of others) {
        const impostor = await client.discovery(server, client_id, undefined, other, options)
        await assert.rejects(client.refreshTokenGrant(impostor, 'ost_rt_unknown'), refused('invalid_client'))
      }
    })
  }
}

async function wholeLogin(person, method, algorithm, registration) {
  const config = await step('discovers the server and registers', registration)
  const registered = config.clientMetadata()
  assert.equal(Boolean(registered.client_secret), method.startsWith('client_secret'))

  const { link, checks } = await begin(config)
  const tokens = await step('exchanges the code; state, iss, nonce and the signature hold', async () => {
    const arrived = await person.allow(link)
    assert.equal(arrived.searchParams.get('iss'), config.serverMetadata().issuer)
    return client.authorizationCodeGrant(config, arrived, checks)
  })
  const claims = tokens.claims()
  assert.equal(claims.aud, registered.client_id)
  assert.equal(tokens.expiresIn() > 3000, true)
  assert.equal(algorithmOf(tokens.id_token), algorithm)

  await step('reads the claims of the same user', async () => {
    const about = await client.fetchUserInfo(config, tokens.access_token, claims.sub)
    assert.equal(about.email, given('PERSON'))
  })
  const fresh = await step('refreshes', async () => {
    const fresh = await client.refreshTokenGrant(config, tokens.refresh_token)
    assert.notEqual(fresh.access_token, tokens.access_token)
    assert.notEqual(fresh.refresh_token, tokens.refresh_token)
    assert.equal(fresh.claims()?.sub ?? claims.sub, claims.sub)
    return fresh
  })
  await step('narrows the scope of one access token', async () => {
    const narrow = await client.refreshTokenGrant(config, fresh.refresh_token, { scope: 'openid' })
    assert.equal(narrow.scope, 'openid')
    const wide = await client.refreshTokenGrant(config, narrow.refresh_token)
    assert.equal(wide.scope, tokens.scope)
    fresh.access_token = wide.access_token
    fresh.refresh_token = wide.refresh_token
  })
  if (method !== 'none') {
    await step('introspects', async () => {
      const seen = await client.tokenIntrospection(config, fresh.access_token)
      assert.equal(seen.active, true)
      assert.equal(seen.client_id, registered.client_id)
      assert.equal(seen.sub, claims.sub)
    })
  }
  await step('revokes', async () => {
    await client.tokenRevocation(config, fresh.refresh_token, { token_type_hint: 'refresh_token' })
    if (method !== 'none') assert.equal((await client.tokenIntrospection(config, fresh.access_token)).active, false)
    await assert.rejects(client.refreshTokenGrant(config, fresh.refresh_token), refused('invalid_grant'))
    await assert.rejects(client.fetchUserInfo(config, fresh.access_token, claims.sub), (caught) => {
      assert.equal(caught.code, 'OAUTH_WWW_AUTHENTICATE_CHALLENGE', caught)
      assert.equal(caught.cause[0].scheme, 'bearer')
      assert.equal(caught.cause[0].parameters.error, 'invalid_token')
      return true
    })
  })
  await step('logs out, and the user is back at the app', async () => {
    const leaving = client.buildEndSessionUrl(config, {
      post_logout_redirect_uri: BYE,
      id_token_hint: tokens.id_token,
      state: 'so long',
    })
    const other = await new Person(server).logIn(given('PERSON'), given('PASSWORD'))
    const arrived = await other.logOut(leaving)
    assert.equal(`${arrived}`, `${BYE}?state=so+long`)
  })
}

function algorithmOf(token) {
  return JSON.parse(Buffer.from(token.split('.')[0], 'base64url')).alg
}

// The library's own strictness, and what it makes of refusals.
async function checks() {
  const person = await new Person(server).logIn(given('PERSON'), given('PASSWORD'))
  const config = await step('discovers by RFC 8414 too', async () => {
    const registered = await register('client_secret_basic')
    const { client_id, client_secret } = registered.clientMetadata()
    const found = await client.discovery(server, client_id, client_secret, client.ClientSecretBasic(), {
      ...options,
      algorithm: 'oauth2',
    })
    const [here, there] = [found.serverMetadata(), registered.serverMetadata()]
    assert.equal(here.token_endpoint, there.token_endpoint)
    assert.equal(here.jwks_uri, there.jwks_uri)
    return registered
  })
  await step('takes the answer as a posted form', async () => {
    const { link, checks } = await begin(config, { response_mode: 'form_post' })
    const tokens = await client.authorizationCodeGrant(config, await person.allowByPost(link), checks)
    assert.ok(tokens.claims().sub)
  })
  await step('asks for a login of a certain age', async () => {
    const { link, checks } = await begin(config, { max_age: '600' })
    const tokens = await client.authorizationCodeGrant(config, await person.allow(link), { ...checks, maxAge: 600 })
    assert.ok(tokens.claims().auth_time)
  })
  await step('asks for single claims', async () => {
    assert.equal(config.serverMetadata().claims_parameter_supported, true)
    const claims = JSON.stringify({ id_token: { email: { essential: true } } })
    const { link, checks } = await begin(config, { scope: 'openid', claims })
    const tokens = await client.authorizationCodeGrant(config, await person.allow(link), checks)
    assert.equal(tokens.claims().email, given('PERSON'))
  })
  await step('names the resource, which the token is then for', async () => {
    const resource = config.serverMetadata().issuer
    const { link, checks } = await begin(config, { scope: 'openid read', resource })
    const tokens = await client.authorizationCodeGrant(config, await person.allow(link), checks, { resource })
    const api = new URL('/api/resource/ToDo', server)
    const answer = await client.fetchProtectedResource(config, tokens.access_token, api, 'GET')
    assert.deepEqual(await answer.json(), { data: [] })
    const { link: strange, checks: strangeChecks } = await begin(config, { resource: 'https://elsewhere.example/' })
    const back = await person.allow(strange)
    await assert.rejects(client.authorizationCodeGrant(config, back, strangeChecks), refused('invalid_target'))
  })
  await step('is sent back without a code when the user says no', async () => {
    const { link, checks } = await begin(config, { prompt: 'consent' })
    const back = await person.deny(link)
    await assert.rejects(client.authorizationCodeGrant(config, back, checks), (caught) => {
      assert.equal(caught.code, 'OAUTH_AUTHORIZATION_RESPONSE_ERROR', caught)
      return refused('access_denied')(caught)
    })
  })
  await step('is told that nobody is logged in', async () => {
    const { link, checks } = await begin(config, { prompt: 'none' })
    const back = await new Person(server).allow(link)
    await assert.rejects(client.authorizationCodeGrant(config, back, checks), refused('login_required'))
  })
  await step('notices a mix-up, a strange state and a strange nonce', async () => {
    const first = await begin(config)
    const mixedUp = await person.allow(first.link)
    mixedUp.searchParams.set('iss', 'https://attacker.example')
    await assert.rejects(client.authorizationCodeGrant(config, mixedUp, first.checks), complains('OAUTH_INVALID_RESPONSE'))
    const nameless = new URL(mixedUp)
    nameless.searchParams.delete('iss')
    await assert.rejects(client.authorizationCodeGrant(config, nameless, first.checks), complains('OAUTH_INVALID_RESPONSE'))

    const second = await begin(config)
    const back = await person.allow(second.link)
    const otherState = { ...second.checks, expectedState: 'another' }
    await assert.rejects(client.authorizationCodeGrant(config, back, otherState), complains('OAUTH_INVALID_RESPONSE'))
    const otherNonce = { ...second.checks, expectedNonce: 'another' }
    await assert.rejects(client.authorizationCodeGrant(config, back, otherNonce), complains('OAUTH_JWT_CLAIM_COMPARISON_FAILED'))
  })
  await step('understands why the token endpoint refuses', async () => {
    const { link, checks } = await begin(config)
    const back = await person.allow(link)
    const another = { ...checks, pkceCodeVerifier: client.randomPKCECodeVerifier() }
    await assert.rejects(client.authorizationCodeGrant(config, back, another), refused('invalid_grant'))
    await assert.rejects(client.refreshTokenGrant(config, 'ost_rt_unknown'), refused('invalid_grant'))

    const { client_id } = config.clientMetadata()
    for (const method of [client.ClientSecretBasic, client.ClientSecretPost]) {
      const impostor = await client.discovery(server, client_id, 'wrong', method(), options)
      await assert.rejects(client.refreshTokenGrant(impostor, 'ost_rt_unknown'), refusedAsStranger(method))
    }
  })
  await step('cannot use a method that it did not register', async () => {
    const { client_id, client_secret } = config.clientMetadata()
    const other = await client.discovery(server, client_id, client_secret, client.ClientSecretPost(), options)
    await assert.rejects(client.refreshTokenGrant(other, 'ost_rt_unknown'), refusedAsStranger(client.ClientSecretPost))
  })
  await step('is told what is wrong with its description', async () => {
    const bad = { redirect_uris: ['javascript:alert(1)'] }
    await assert.rejects(register('none', bad), refused('invalid_redirect_uri'))
    const greedy = { scope: 'openid admin:credentials' }
    await assert.rejects(register('none', greedy), refused('invalid_client_metadata'))
  })
}

// An app without a user, which an administrator registered.
async function machine() {
  for (const method of [client.ClientSecretBasic, client.ClientSecretPost]) {
    const config = await client.discovery(server, given('CLIENT_ID'), given('CLIENT_SECRET'), method(), options)
    await step(`gets a token of its own with ${method.name}`, async () => {
      const tokens = await client.clientCredentialsGrant(config, { scope: 'all', resource: config.serverMetadata().issuer })
      assert.equal(tokens.refresh_token, undefined)
      const whoami = new URL('/api/method/frappe.auth.get_logged_user', server)
      const answer = await client.fetchProtectedResource(config, tokens.access_token, whoami, 'GET')
      assert.deepEqual(await answer.json(), { message: given('PERSON') })
      assert.equal((await client.tokenIntrospection(config, tokens.access_token)).active, true)
      await client.tokenRevocation(config, tokens.access_token)
      assert.equal((await client.tokenIntrospection(config, tokens.access_token)).active, false)
    })
  }
}

const scenario = { documented: asDocumented, login, keys, checks, machine }[process.argv[2]]
assert.ok(scenario, 'which scenario?')
await scenario()
