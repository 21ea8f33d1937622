/** Splits values into groups of at most `most`, each for one statement. `marks`: the placeholders for an IN list. */
export function* inLists<T>(
  values: readonly T[],
  most: number,
): Generator<{ readonly some: readonly T[]; readonly marks: string }> {
  for (let start = 0; start < values.length; start += most) {
    const some = values.slice(start, start + most)
    yield { some, marks: some.map(() => '?').join(',') }
  }
}
