// Asks an API for a price, with `fetch` and an environment variable. Knows nothing of Strongroom.
import { getArguments, getEnvironment } from 'wasi:cli/environment@0.2.12';

async function main(url = 'https://api.example.com/v1/price') {
  const env = Object.fromEntries(getEnvironment());
  console.log('my key is', env.PRICE_API_KEY);
  const response = await fetch(url, { headers: { authorization: `Bearer ${env.PRICE_API_KEY}` } });
  console.log(response.status, await response.text());
  if (!response.ok) throw new Error(`the API responded with status ${response.status}`);
}

// What the host calls. An error that leaves `run` ends the agent with exit code 1, and nothing prints it: so it is printed here.
export const run = {
  async run() {
    try {
      await main(...getArguments().slice(1));
    } catch (error) {
      console.error(`${error}`);
      throw error;
    }
  },
};
