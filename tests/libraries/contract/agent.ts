import { getArguments } from 'wasi:cli/environment@0.2.12';
import { write } from 'strongroom:agent/log@0.1.0';
import { Secret, type Error as Refusal } from 'strongroom:agent/secrets@0.1.0';
import type { Thrown } from '@strongroom/agent';

export const run = {
  async run(): Promise<void> {
    const [, url = 'https://api.example.com/v1/price'] = getArguments();
    const key = opened('PRICE_API_KEY');
    const response = await fetch(url, { headers: { authorization: `Bearer ${key.placeholder()}` } });
    console.log(response.status, await response.text());
  },
};

function opened(name: string): Secret {
  try {
    return Secret.open(name);
  } catch (error) {
    const { payload } = error as Thrown<Refusal>;
    write('error', 'the secret can not be opened', [{ key: 'why', value: payload.tag }]);
    throw error;
  }
}
