/** archive plan, archive run: their flags. */
import { readArchiving } from '../flags/archive-flags.ts'
import { alertOf } from '../flags/alert-flags.ts'
import { givenFlag, given, givenList, givenText, requiredText } from '../parse/arguments.ts'
import { requiredStore } from '../flags/copy-stores.ts'
import { readHours } from '../flags/hours.ts'
import { someTableArguments } from '../parse/table-words.ts'
import { operate, type Command } from './command.ts'

const archive: Command = {
  request: (args, context) => {
    const { env, defaults } = context
    const isPlan = requiredText(args, 'action') === 'plan'
    const tables = someTableArguments(args, defaults)
    const archiving = readArchiving(args, context)
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

export const commands = { archive }
