import Stripe from 'stripe';

const stripe = new Stripe(process.env.STRIPE_API_KEY, { maxNetworkRetries: 0 });
await stripe.customers.create({ email: 'a@example.com', metadata: { plan: 'pro & more' } });
await stripe.customers.update('cus_1', { description: 'A customer' });
await stripe.customers.retrieve('cus_1');
await stripe.customers.list({ limit: 3 });
await stripe.charges.list({ customer: 'cus_1' });
await stripe.charges.retrieve('ch_1');
await stripe.invoices.list({ limit: 3 });
await stripe.invoices.retrieve('in_1');
await stripe.balance.retrieve();

// What the manifest is not for.
await stripe.payouts.create({ amount: 100, currency: 'usd' });
await stripe.refunds.create({ charge: 'ch_1' });
await stripe.customers.del('cus_1');
await stripe.charges.create({ amount: 100, currency: 'usd' });
