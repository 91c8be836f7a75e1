import '../browser.js';
// One exchange of a hundred each: the package itself has all of them.
import Alpaca from '../node_modules/ccxt/js/src/alpaca.js';
import Binance from '../node_modules/ccxt/js/src/binance.js';
import Bybit from '../node_modules/ccxt/js/src/bybit.js';
import Coinbase from '../node_modules/ccxt/js/src/coinbase.js';
import Kraken from '../node_modules/ccxt/js/src/kraken.js';
import Okx from '../node_modules/ccxt/js/src/okx.js';
import { beyond } from '../beyond.js';

// An exchange whose key and secret stand in headers: nothing is signed.
const exchange = (env) => new Alpaca({ apiKey: env.ALPACA_KEY_ID, secret: env.ALPACA_SECRET, enableRateLimit: false });

export async function trading({ env, say }) {
  const broker = exchange(env);
  say('markets', Object.keys(await broker.loadMarkets()));
  const orders = await broker.fetchOpenOrders();
  say('orders', orders.map((order) => [order.id, order.amount]));
}

// From here on: what the manifests of `examples/apis` are for, with the options that they name, then what they are not for. An agent that
// asks for this is denied.
const quick = { enableRateLimit: false };
const ADDRESS = '0x0000000000000000000000000000000000000001';

async function trade(exchange, pair) {
  await exchange.fetchTicker(pair);
  await exchange.fetchBalance();
  await exchange.createOrder(pair, 'limit', 'buy', 0.001, 50000);
  await exchange.fetchOpenOrders(pair);
  await exchange.cancelOrder('O-1', pair);
}

export async function binance({ env }) {
  const options = { fetchCurrencies: false, fetchMargins: false, fetchMarkets: { types: ['spot'] } };
  const exchange = new Binance({ ...quick, apiKey: env.BINANCE_API_KEY, secret: env.BINANCE_SECRET, options });
  await trade(exchange, 'BTC/USDT');
  await exchange.fetchOrderBook('BTC/USDT');
  await exchange.fetchOrder('1', 'BTC/USDT');
  await exchange.fetchMyTrades('BTC/USDT');
  await beyond(() => exchange.withdraw('USDT', 10, ADDRESS, undefined, { network: 'ETH' }));
  await beyond(() => exchange.cancelAllOrders('BTC/USDT'));
}

export async function bybit({ env }) {
  const options = { enableUnifiedMargin: false, enableUnifiedAccount: true, fetchMarkets: { types: ['spot'] } };
  const has = { fetchCurrencies: false };
  const exchange = new Bybit({ ...quick, apiKey: env.BYBIT_API_KEY, secret: env.BYBIT_SECRET, has, options });
  await trade(exchange, 'BTC/USDT');
  await beyond(() => exchange.withdraw('USDT', 10, ADDRESS, undefined, { network: 'ETH' }));
}

export async function kraken({ env }) {
  const exchange = new Kraken({ ...quick, apiKey: env.KRAKEN_API_KEY, secret: env.KRAKEN_SECRET });
  await trade(exchange, 'BTC/USD');
  await exchange.fetchOrder('O-1', 'BTC/USD');
  await beyond(() => exchange.withdraw('BTC', 1, '3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy', undefined, { key: 'mine' }));
}

export async function okx({ env }) {
  const keys = { apiKey: env.OKX_API_KEY, secret: env.OKX_SECRET, password: env.OKX_PASSPHRASE };
  const exchange = new Okx({ ...quick, ...keys, has: { fetchCurrencies: false }, options: { fetchMarkets: { types: ['spot'] } } });
  await trade(exchange, 'BTC/USDT');
  await beyond(() => exchange.withdraw('USDT', 10, ADDRESS, undefined, { network: 'ERC20', fee: '1' }));
}

export async function coinbase({ env }) {
  const options = { fetchBalance: 'v3PrivateGetBrokerageAccounts' };
  const apiKey = 'organizations/ORGANIZATION/apiKeys/KEY';
  const exchange = new Coinbase({ ...quick, apiKey, secret: env.COINBASE_PRIVATE_KEY, options });
  await trade(exchange, 'BTC/USD');
  await beyond(() => exchange.withdraw('BTC', 1, '3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy', undefined, { account_id: 'a' }));
}
