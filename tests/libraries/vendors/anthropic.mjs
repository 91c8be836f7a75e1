import Anthropic from '@anthropic-ai/sdk';

const QUESTION = { model: 'claude-opus-5', messages: [{ role: 'user', content: 'What is the price?' }] };

// The key in `x-api-key`, and as a bearer token.
const keyed = new Anthropic({ maxRetries: 0 });
const bearing = new Anthropic({ apiKey: null, authToken: process.env.ANTHROPIC_API_KEY, maxRetries: 0 });
for (const client of [keyed, bearing]) {
  await client.messages.create({ ...QUESTION, max_tokens: 64 });
  await client.messages.countTokens(QUESTION);
  await client.models.list();
}

// What the manifest is not for.
await keyed.messages.batches.create({ requests: [{ custom_id: '1', params: { ...QUESTION, max_tokens: 64 } }] });
await keyed.messages.batches.delete('batch_1');
