/** Parses which tables the statements of a SQLite trigger write to. */
import { foldedText } from '../../../shared/name-pattern.ts'
import { definitionTokens, type DefinitionToken } from '../../common/definition-text.ts'

export type WriteKind = 'insert' | 'update' | 'delete'

/** @property table name in the form of `foldedText` */
export type TriggerWrite = { readonly table: string; readonly deed: WriteKind }

export type TriggerText = {
  /** Kind of statement for which the trigger fires. */
  readonly on: WriteKind
  readonly writes: readonly TriggerWrite[]
  /** True if the trigger has RAISE(IGNORE): the row is then not written. */
  readonly ignores: boolean
}

/** @param sql the CREATE TRIGGER statement as SQLite stores it */
export function triggerText(sql: string): TriggerText {
  const tokens = definitionTokens(sql, 'brackets')
  const start = tokens.findIndex((one) => deedOf(one) !== null)
  const body = tokens.slice(start + 1)
  const writes: TriggerWrite[] = []
  for (const at of body.keys()) {
    const [word, next, third, fourth] = body.slice(at, at + 4)
    const conflict = isWord(next, 'or')
    const into = conflict ? fourth : next
    if ((isWord(word, 'insert') || isWord(word, 'replace')) && isWord(into, 'into')) {
      const table = nameAt(body, at + (conflict ? 4 : 2))
      writes.push({ table, deed: 'insert' })
      // REPLACE deletes the existing row, and foreign keys may then delete rows that refer to it.
      if (isWord(word, 'replace') || (conflict && isWord(third, 'replace'))) writes.push({ table, deed: 'delete' })
    } else if (isWord(word, 'delete') && isWord(next, 'from')) {
      writes.push({ table: nameAt(body, at + 2), deed: 'delete' })
    } else if (isWord(word, 'update')) {
      // ON CONFLICT … DO UPDATE SET updates the table of the INSERT.
      const table = isWord(next, 'set') ? writes.at(-1)?.table : nameAt(body, at + (conflict ? 3 : 1))
      if (table !== undefined) writes.push({ table, deed: 'update' })
    }
  }
  const ignores = body.some(
    (one, at) => isWord(one, 'raise') && body[at + 1]?.text === '(' && isWord(body[at + 2], 'ignore'),
  )
  return { on: deedOf(tokens[start]) ?? 'update', writes, ignores }
}

function nameAt(tokens: readonly DefinitionToken[], at: number): string {
  const name = tokens[at + 1]?.text === '.' ? tokens[at + 2] : tokens[at]
  return foldedText(name?.text ?? '', 'ascii')
}

function deedOf(token: DefinitionToken | undefined): WriteKind | null {
  return (['insert', 'update', 'delete'] as const).find((deed) => isWord(token, deed)) ?? null
}

function isWord(token: DefinitionToken | undefined, word: string): boolean {
  return token?.is === 'word' && token.text.toLowerCase() === word
}
