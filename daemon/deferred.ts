/** A promise with its resolvers outside. (Promise.withResolvers needs Node 22; we run on 20.19.) */
export type Deferred<T> = {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
};

export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  // who does not wait for it must not be taken down by it
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
