// A small MCP server as the SDK's documentation builds one: it sends whoever comes without a token to Ostiary, and asks
// Ostiary what a token is worth (RFC 7662), for whom it is (RFC 8707) and what it allows.

import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js'
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import { getOAuthProtectedResourceMetadataUrl, mcpAuthMetadataRouter } from '@modelcontextprotocol/sdk/server/auth/router.js'
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import * as client from 'openid-client'

/** The scope that every request needs. */
export const SCOPE = 'notes:read'

/**
 * Starts it at the address by which the administrator registered it as an `OAuth Resource`; `introspector` is the id and
 * the secret of the client that may look into tokens for it.
 */
export async function serve(address, issuer, introspector) {
  const resource = new URL(address)
  const config = await client.discovery(issuer, ...introspector, client.ClientSecretBasic(), {
    execute: [client.allowInsecureRequests],
  })
  const app = createMcpExpressApp()
  app.use(mcpAuthMetadataRouter({
    oauthMetadata: config.serverMetadata(),
    resourceServerUrl: resource,
    scopesSupported: [SCOPE],
    resourceName: 'Notes',
  }))
  const verifier = {
    async verifyAccessToken(token) {
      const seen = await client.tokenIntrospection(config, token)
      if (!seen.active) throw new InvalidTokenError('The token is not active')
      return {
        token,
        clientId: seen.client_id,
        scopes: seen.scope.split(' '),
        expiresAt: seen.exp,
        resource: new URL(seen.aud),
        extra: { sub: seen.sub },
      }
    },
  }
  const guard = requireBearerAuth({
    verifier,
    requiredScopes: [SCOPE],
    resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(resource),
    expectedResource: resource,
  })
  app.post(resource.pathname, guard, async (request, response) => {
    const server = new McpServer({ name: 'notes', version: '1.0.0' })
    server.registerTool('whoami', { description: 'Who is asking' }, (extra) => ({
      content: [{ type: 'text', text: extra.authInfo.extra.sub }],
    }))
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true })
    response.on('close', () => transport.close())
    await server.connect(transport)
    await transport.handleRequest(request, response, request.body)
  })
  // Without sessions there is nothing to listen to.
  app.get(resource.pathname, guard, (_, response) => response.status(405).set('Allow', 'POST').end())
  return new Promise((resolve, reject) => {
    const listening = app.listen(Number(resource.port), resource.hostname, (error) => (error ? reject(error) : resolve(listening)))
  })
}
