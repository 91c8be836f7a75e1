import kraken from '../node_modules/ccxt/js/src/kraken.js';

const exchange = new kraken({
  apiKey: process.env.KRAKEN_API_KEY,
  secret: process.env.KRAKEN_SECRET,
  enableRateLimit: false,
});
await exchange.fetchTicker('BTC/USD');
await exchange.fetchBalance();
await exchange.createOrder('BTC/USD', 'limit', 'buy', 0.001, 50000);
await exchange.fetchOpenOrders('BTC/USD');
await exchange.fetchOrder('O-1', 'BTC/USD');
await exchange.cancelOrder('O-1', 'BTC/USD');

// What the manifest is not for.
await exchange.withdraw('BTC', 1, '3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy', undefined, { key: 'mine' });
