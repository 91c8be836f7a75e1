import OpenAI from 'openai';

const client = new OpenAI({ adminAPIKey: process.env.OPENAI_API_KEY, maxRetries: 0 });
const messages = [{ role: 'user', content: 'What is the price?' }];
await client.chat.completions.create({ model: 'gpt-5', messages });
await client.responses.create({ model: 'gpt-5', input: 'What is the price?' });
await client.embeddings.create({ model: 'text-embedding-3-small', input: 'a price' });
await client.models.list();
await client.models.retrieve('gpt-5');

// What the manifest is not for.
await client.admin.organization.adminAPIKeys.create({ name: 'another' });
await client.models.delete('ft:gpt-5:mine');
await client.files.list();
