// A small MCP server, protected as docs/libraries.md says: it sends whoever comes without a token to Ostiary, and asks
// Ostiary what a token is worth (RFC 7662), for whom it is (RFC 8707) and what it allows.

import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { blanks, documented } from './person.mjs'

/** The scope that every request needs, and what the tool `reset` needs on top of it. */
export const SCOPE = 'tools:run'
export const MORE = 'tools:reset'

/**
 * Starts it at the address by which the administrator registered it as an `OAuth Resource`; `introspector` is the id and
 * the secret of the client that may look into tokens for it.
 */
export async function serve(address, issuer, introspector) {
  const app = createMcpExpressApp()
  const program = await documented('protect', { ...blanks(issuer, ...introspector), 'https://mcp.example/tools': address.href })
  program.protect(app)
  app.post(address.pathname, (request, response, next) => {
    if (request.body.params?.name !== 'reset' || request.auth.scopes.includes(MORE)) return next()
    // RFC 6750 section 3.1: a token that is good, but not for this.
    const challenge = `Bearer error="insufficient_scope", scope="${SCOPE} ${MORE}"`
    response.status(403).set('WWW-Authenticate', challenge).json({ error: 'insufficient_scope' })
  })
  app.post(address.pathname, async (request, response) => {
    const server = new McpServer({ name: 'tools', version: '1.0.0' })
    server.registerTool('whoami', { description: 'Who is asking' }, (extra) => ({
      content: [{ type: 'text', text: extra.authInfo.extra.sub }],
    }))
    server.registerTool('reset', { description: 'Begins anew' }, () => ({ content: [{ type: 'text', text: 'done' }] }))
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true })
    response.on('close', () => transport.close())
    await server.connect(transport)
    await transport.handleRequest(request, response, request.body)
  })
  // Without sessions there is nothing to listen to.
  app.get(address.pathname, (_, response) => response.status(405).set('Allow', 'POST').end())
  return new Promise((resolve, reject) => {
    const listening = app.listen(Number(address.port), address.hostname, (error) => (error ? reject(error) : resolve(listening)))
  })
}
