import okx from '../node_modules/ccxt/js/src/okx.js';

const exchange = new okx({
  apiKey: process.env.OKX_API_KEY,
  secret: process.env.OKX_SECRET,
  password: process.env.OKX_PASSPHRASE,
  has: { fetchCurrencies: false },
  options: { fetchMarkets: { types: ['spot'] } },
  enableRateLimit: false,
});
await exchange.fetchTicker('BTC/USDT');
await exchange.fetchBalance();
await exchange.createOrder('BTC/USDT', 'limit', 'buy', 0.001, 50000);
await exchange.fetchOpenOrders('BTC/USDT');
await exchange.cancelOrder('1', 'BTC/USDT');

// What the manifest is not for.
await exchange.withdraw('USDT', 10, '0x0000000000000000000000000000000000000001', undefined, { network: 'ERC20', fee: '1' });
