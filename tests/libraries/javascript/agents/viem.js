import { createPublicClient, erc20Abi, formatEther, http } from 'viem';
import { mainnet } from 'viem/chains';

const client = (env, options) => {
  const headers = { authorization: `Bearer ${env.RPC_KEY}` };
  return createPublicClient({ chain: mainnet, transport: http('https://rpc.example/eth', { fetchOptions: { headers }, ...options }) });
};
const ACCOUNT = '0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045';
const TOKEN = '0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48';

export async function reads({ env, say }) {
  const chain = client(env);
  say('block', Number(await chain.getBlockNumber()));
  say('balance', formatEther(await chain.getBalance({ address: ACCOUNT })));
  say('tokens', String(await chain.readContract({ address: TOKEN, abi: erc20Abi, functionName: 'balanceOf', args: [ACCOUNT] })));
}

export async function batched({ env, say }) {
  const chain = client(env, { batch: true });
  const [block, id] = await Promise.all([chain.getBlockNumber({ cacheTime: 0 }), chain.getChainId()]);
  say('batch', [Number(block), id]);
}

export async function retried({ env, say }) {
  say('gas', Number(await client(env, { retryDelay: 1 }).getGasPrice()));
}

export async function refused({ env, say }) {
  try {
    await client(env, { retryCount: 0 }).getBalance({ address: ACCOUNT });
  } catch (error) {
    say('error', [error.name, error.details]);
  }
}
