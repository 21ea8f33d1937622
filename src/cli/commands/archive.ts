/** archive plan, archive run: their flags. */
import { SluiceError } from '../../shared/errors.ts'
import { readArchiving } from '../flags/archive-flags.ts'
import { alertOf } from '../flags/alert-flags.ts'
import { givenFlag, given, givenList, givenText, requiredText } from '../parse/arguments.ts'
import { requiredStore } from '../flags/copy-stores.ts'
import { readHours } from '../flags/hours.ts'
import { someTableArguments } from '../parse/table-words.ts'
import { operate } from './command.ts'
import type { Command } from './command.ts'

const archive: Command = {
  request: (args, context) => {
    const { env, defaults } = context
    const isPlan = requiredText(args, 'action') === 'plan'
    const tables = someTableArguments(args, defaults)
    const archiving = readArchiving(args, context)
    if (archiving.drop) refuseManyToDrop(tables)
    const from = requiredStore('from', args, defaults, env)
    return operate(
      {
        kind: 'archive',
        tables,
        partitions: givenList(args, 'partition'),
        ...archiving,
        ...given('confirm', givenText(args, 'confirm')),
        ...given('alert', alertOf('archive', args)),
        dryRun: isPlan || givenFlag(args, 'dry-run'),
        from: from.url,
      },
      {
        printed: { add: from.origin === 'script' ? [from.printed] : [] },
        ...given('hours', isPlan ? undefined : readHours(args, defaults)),
      },
    )
  },
}

/** `--drop` needs the table name for confirmation, so it allows only one table. */
function refuseManyToDrop(tables: readonly string[]): void {
  const [table = ''] = tables
  if (tables.length === 1 && !/[*?]/.test(table)) return
  throw new SluiceError('BAD_FLAG', '--drop requires one table, by its name', {
    hint: 'archive the tables together without --drop, then run the command with --drop for each table',
  })
}

export const commands = { archive }
