/** init: content of the new config file; the implementation is in ../init. */
import { isCopyUrl } from '../../engine/run/systems.ts'
import { SluiceError } from '../../shared/errors.ts'
import { givenFlag, givenText, requiredText, type Arguments } from '../parse/arguments.ts'
import type { Command } from './command.ts'

const init: Command = {
  request: (args, { optionalCatalog }) => ({
    kind: 'init',
    lake: givenText(args, 'lake') ?? null,
    from: databaseOf(args, 'from'),
    to: databaseOf(args, 'to'),
    catalog: optionalCatalog() ?? null,
    write: requiredText(args, 'write'),
    dryRun: givenFlag(args, 'dry-run'),
  }),
}

function databaseOf(args: Arguments, option: 'from' | 'to'): string | null {
  const word = givenText(args, option)
  if (word === undefined) return null
  if (isCopyUrl(word)) return word
  throw new SluiceError('BAD_FLAG', `--${option} is not the URL of a database`, {
    hint: 'write it like postgresql://user@host/database',
  })
}

export const commands = { init }
