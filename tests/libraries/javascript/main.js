// One component for several libraries: `LIBRARY CASE` as arguments. Each bundle is text until it is asked for: so none is in another's
// way, and the component starts with a small memory.
import { getArguments, getEnvironment } from 'wasi:cli/environment@0.2.12';
import { bundles } from 'bundles';

// What is asked of Node's process where a library names itself to its API.
const PROCESS = { env: {}, platform: 'wasi', title: 'agent', version: 'v0.0.0', versions: {} };

// Lines of JSON are what a test compares.
const say = (name, value) => console.log(JSON.stringify({ [name]: value }));

export const run = {
  async run() {
    const [library, name] = getArguments().slice(-2);
    const env = Object.fromEntries(getEnvironment());
    globalThis.process ??= PROCESS;
    try {
      const agent = new Function(`${bundles[library]}; return agent;`)();
      await agent[name]({ env, say });
    } catch (error) {
      say('failed', described(error));
      throw error;
    }
  },
};

// A library's error with its cause: what a person would look at.
function described(error) {
  const cause = error?.cause ? ` (${described(error.cause)})` : '';
  return `${error?.name ?? typeof error}: ${error?.message ?? error}${cause}`;
}
