import alpaca from 'ccxt/alpaca';

// An exchange whose key and secret stand in headers: nothing is signed.
const exchange = (env) => new alpaca({ apiKey: env.ALPACA_KEY_ID, secret: env.ALPACA_SECRET, enableRateLimit: false });

export async function trading({ env, say }) {
  const broker = exchange(env);
  say('markets', Object.keys(await broker.loadMarkets()));
  const orders = await broker.fetchOpenOrders();
  say('orders', orders.map((order) => [order.id, order.amount]));
}
