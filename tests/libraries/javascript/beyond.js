// A call that a manifest is not for. In an agent it is denied, which every library tells in a way of its own; a recorder answers it.
export async function beyond(call) {
  try {
    await call();
  } catch {
    // What was asked for is looked at by the test.
  }
}
