/** init: content of the new config file; the implementation is in ../init. */
import { isCopyUrl } from '../../engine/run/systems.ts'
import { SluiceError } from '../../shared/errors.ts'
import { flag, optionalText, text, type Arguments } from '../arguments.ts'
import type { Command } from './command.ts'

const init: Command = {
  request: (args, { optionalCatalog }) => ({
    kind: 'init',
    lake: optionalText(args, 'lake') ?? null,
    from: databaseOf(args, 'from'),
    to: databaseOf(args, 'to'),
    catalog: optionalCatalog() ?? null,
    write: text(args, 'write'),
    dryRun: flag(args, 'dry-run'),
  }),
}

function databaseOf(args: Arguments, option: 'from' | 'to'): string | null {
  const word = optionalText(args, option)
  if (word === undefined) return null
  if (isCopyUrl(word)) return word
  throw new SluiceError('BAD_FLAG', `--${option} is no URL of a database`, {
    hint: 'write it like postgresql://user@host/database',
  })
}

export const commands = { init }
