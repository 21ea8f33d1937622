/** A store of one value: a pure reducer and listeners, all synchronous. */
export type Store<S, A> = {
  readonly get: () => S
  readonly dispatch: (action: A) => void
  readonly subscribe: (listener: () => void) => () => void
}

/** @returns a store that calls its listeners only when the value has changed. */
export function createStore<S, A>(reduce: (state: S, action: A) => S, initial: S): Store<S, A> {
  let state = initial
  const listeners = new Set<() => void>()
  return {
    get: () => state,
    dispatch(action) {
      const next = reduce(state, action)
      if (Object.is(next, state)) return
      state = next
      for (const listener of listeners) listener()
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
  }
}
