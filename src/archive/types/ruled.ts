/** The type in which an archive stores a column, or an error if it cannot store the column. */
import type { Column } from '../../model/copy/column-type.ts'
import type { StoredColumn } from '../../model/archive/stored-column.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import { namesObjects, ruleFor } from './rule.ts'

/** @throws SluiceError UNSUPPORTED_TYPE */
export function ruled(
  column: Column,
  asText: boolean,
  where: string,
  isLoose = false,
): Pick<StoredColumn, 'as' | 'stored'> {
  const rule = ruleFor(column, asText, isLoose)
  if (rule !== null) return rule
  const flag = `--as-text ${shellQuote(column.name)}`
  throw new SluiceError(
    'UNSUPPORTED_TYPE',
    `an archive cannot store ${where}.${column.name}: it is ${typeText(column)}`,
    {
      where: `${where}.${column.name}`,
      ...refusedFor(column, flag),
    },
  )
}

function refusedFor({ type, textLoses }: Column, flag: string): { readonly reason: string; readonly hint: string } {
  if (textLoses !== undefined) return { reason: textLoses, hint: `${flag} stores the text of each value` }
  if (namesObjects(type)) {
    return {
      reason: 'its values are names of objects, and a restored name may then refer to another object',
      hint: `${flag} stores these names; if objects may be renamed, change the column to a number (oid) first`,
    }
  }
  return {
    reason: 'its values can have different types, and a text would not store the type',
    hint: `${flag} stores each of them as a SQL literal`,
  }
}

function typeText({ native }: Column): string {
  return native === '' ? 'a column without a type' : `of type ${native}`
}
