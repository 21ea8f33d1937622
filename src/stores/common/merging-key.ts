/** Refuses a target whose key would merge rows of the source. */
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'

/**
 * Refuses a target whose key does not contain the source's key, if the target keeps one row for each key. Two rows of
 * the source may have the same key in the target: the second would overwrite the first without an error.
 * @param found the table of the target @param key its key @param given key of the source, in names of the target
 * @throws SluiceError UNSUPPORTED_KEY
 */
export function refuseMerging(found: TableSpec, key: readonly string[], given: readonly string[]): void {
  if (given.length > 0 && given.every((name) => key.includes(name))) return
  const float = found.columns.find(({ name, type }) => type.kind === 'float' && key.includes(name))
  const theirs =
    given.length === 0 ? 'the source has no key that can be used' : `the key of the source is ${given.join(', ')}`
  throw new SluiceError(
    'UNSUPPORTED_KEY',
    `several rows of the source could become one row in ${tableText(found.table)}`,
    {
      reason: `the key of the target table is ${key.join(', ')}, and ${theirs}`,
      hint:
        float === undefined
          ? 'give --key with unique columns that are all in the key of the target'
          : `copy into a table with another key: ${float.name} is a floating point number, which is not a safe key`,
    },
  )
}
