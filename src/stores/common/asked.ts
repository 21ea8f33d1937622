/** Runs the body with a session; throws its errors as errors of the source. */
export type Ask<S> = <T>(signal: AbortSignal, body: (session: S) => Promise<T>) => Promise<T>

/** @returns a function that makes the method `(a, b, signal)` of a port of `body(session, a, b)` */
export function asked<S>(ask: Ask<S>) {
  return <A extends readonly unknown[], T>(body: (session: S, ...args: A) => Promise<T>) =>
    (...args: [...A, AbortSignal]): Promise<T> =>
      ask(args.at(-1) as AbortSignal, (session) => body(session, ...(args.slice(0, -1) as unknown as A)))
}
