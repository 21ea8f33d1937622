/** Runs the body with a session; throws its errors as errors of the source. */
export type Ask<S> = <T>(signal: AbortSignal, body: (session: S) => Promise<T>) => Promise<T>

/** @returns a function that makes the method `(a, b, signal)` of a port of `body(session, a, b)` */
export function bySession<S>(ask: Ask<S>) {
  return <A extends unknown[], T>(body: (session: S, ...args: A) => Promise<T>) =>
    (...args: [...A, AbortSignal]): Promise<T> => {
      const given: unknown[] = args.slice(0, -1)
      return ask(args.at(-1) as AbortSignal, (session) => body(session, ...(given as A)))
    }
}
