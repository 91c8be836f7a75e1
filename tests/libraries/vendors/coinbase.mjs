import coinbase from '../node_modules/ccxt/js/src/coinbase.js';

const exchange = new coinbase({
  apiKey: 'organizations/ORGANIZATION/apiKeys/KEY',
  secret: process.env.COINBASE_PRIVATE_KEY,
  options: { fetchBalance: 'v3PrivateGetBrokerageAccounts' },
  enableRateLimit: false,
});
await exchange.fetchTicker('BTC/USD');
await exchange.fetchBalance();
await exchange.createOrder('BTC/USD', 'limit', 'buy', 0.001, 50000);
await exchange.fetchOpenOrders('BTC/USD');
await exchange.cancelOrder('1', 'BTC/USD');

// What the manifest is not for.
await exchange.withdraw('BTC', 1, '3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy', undefined, { account_id: 'a' });
