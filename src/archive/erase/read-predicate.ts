/** Parses a condition that may name a person: errors never show its text. */
import { predicateColumns, parsePredicate, type Predicate } from '../../model/lake/predicate.ts'
import { SluiceError } from '../../shared/errors.ts'

/** @throws SluiceError BAD_PREDICATE, whose message contains nothing of the text, because messages are stored */
export function readPredicate(text: string): Predicate {
  try {
    return parsePredicate(text)
  } catch (thrown) {
    if (!(thrown instanceof SluiceError) || thrown.code !== 'BAD_PREDICATE') throw thrown
    const at = /at character (\d+)/.exec(thrown.message)?.[1]
    throw new SluiceError(
      'BAD_PREDICATE',
      `--where cannot be read${at === undefined ? '' : ` from character ${at} on`}`,
      {
        hint: "write it like customer_id = 42 or email IN ('a@b.example'); join conditions with AND and OR",
      },
    )
  }
}

/** Names of the columns that a condition compares. */
export function predicateNames(predicate: Predicate): ReadonlySet<string> {
  return new Set(predicateColumns(predicate).map(({ names }) => names.join('.')))
}
