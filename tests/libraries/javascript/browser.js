// ccxt takes what is no browser for Node and imports Node's modules when it runs, at which the guest's engine traps.
if (!globalThis.process?.versions.node) globalThis.window ??= globalThis;
