import '../streams.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

// The server gives a session id with its first answer, and wants it back in a header of the same name.
export async function tools({ env, say }) {
  const headers = { authorization: `Bearer ${env.MCP_TOKEN}` };
  const transport = new StreamableHTTPClientTransport(new URL('https://mcp.example/mcp'), { requestInit: { headers } });
  const client = new Client({ name: 'agent', version: '1.0.0' });
  await client.connect(transport);
  say('server', client.getServerVersion().name);
  const { tools } = await client.listTools();
  say('tools', tools.map((tool) => tool.name));
  const result = await client.callTool({ name: 'price', arguments: { pair: 'ETH-USD' } });
  say('result', [result.content[0].text, result.content[1].text === env.MCP_TOKEN]);
  await transport.terminateSession();
  await client.close();
  say('closed', true);
}

// Without a session, the answers as events.
export async function stateless({ env, say }) {
  const headers = { authorization: `Bearer ${env.MCP_TOKEN}` };
  const transport = new StreamableHTTPClientTransport(new URL('https://mcp.example/mcp'), { requestInit: { headers } });
  const client = new Client({ name: 'agent', version: '1.0.0' });
  await client.connect(transport);
  const progress = [];
  const onprogress = (each) => progress.push(each.progress);
  const result = await client.callTool({ name: 'price', arguments: {} }, undefined, { onprogress });
  say('result', [result.content[0].text, progress]);
  await client.close();
}
