/** The type in which a column is stored, or an error if it cannot be. */
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
    `${where}.${column.name} is ${typeText(column)}: an archive cannot hold that`,
    {
      where: `${where}.${column.name}`,
      ...(namesObjects(column.type)
        ? {
            reason: 'it prints names of objects, and a name comes back as the object that has it by then',
            hint: `${flag} stores these names; where an object gets another name, make the column a number (oid) first`,
          }
        : {
            reason: 'what its values are is known only by looking at each of them, and a text would not say it',
            hint: `${flag} stores each of them as SQL spells it`,
          }),
    },
  )
}

function typeText({ native }: Column): string {
  return native === '' ? 'a column without a type' : `of type ${native}`
}
