// `node agent.mjs AGENT FUNCTION`: has an agent's library make its calls in this process.
const [agent, calls] = process.argv.slice(2);
await (await import(`../agents/${agent}.js`))[calls]({ env: process.env });
