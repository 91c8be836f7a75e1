import { Contract, FetchRequest, JsonRpcProvider, Network, formatEther } from 'ethers';

function provider(env, options) {
  const request = new FetchRequest('https://rpc.example/eth');
  request.setHeader('authorization', `Bearer ${env.RPC_KEY}`);
  return new JsonRpcProvider(request, 1, { staticNetwork: Network.from(1), batchMaxCount: 1, ...options });
}
const ACCOUNT = '0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045';
const TOKEN = '0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48';

export async function reads({ env, say }) {
  const chain = provider(env);
  say('block', await chain.getBlockNumber());
  say('balance', formatEther(await chain.getBalance(ACCOUNT)));
  const token = new Contract(TOKEN, ['function balanceOf(address) view returns (uint256)'], chain);
  say('tokens', String(await token.balanceOf(ACCOUNT)));
  chain.destroy();
}

export async function retried({ env, say }) {
  const chain = provider(env);
  say('gas', Number(await chain.send('eth_gasPrice', [])));
  chain.destroy();
}

export async function fetched({ env, say }) {
  const request = new FetchRequest('https://rpc.example/status');
  request.setHeader('authorization', `Bearer ${env.RPC_KEY}`);
  const answer = await request.send();
  say('answer', [answer.statusCode, answer.bodyJson.synced, answer.bodyJson.key === env.RPC_KEY]);
}

// The library follows by itself, with all its headers, wherever it is sent.
export async function redirected({ env, say }) {
  const request = new FetchRequest('https://rpc.example/old');
  request.setHeader('authorization', `Bearer ${env.RPC_KEY}`);
  say('answer', (await request.send()).bodyJson.synced);
  const astray = new FetchRequest('https://rpc.example/astray');
  astray.setHeader('authorization', `Bearer ${env.RPC_KEY}`);
  say('astray', (await astray.send()).statusCode);
}
