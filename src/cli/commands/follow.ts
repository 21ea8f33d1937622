/** follow: continues a stream, ends it, or reports on it. */
import { FOLLOW_WORDS } from '../../engine/follow/operations/follow/declaration.ts'
import { exclusive, givenFlag, givenText } from '../parse/arguments.ts'
import { commandNamed } from '../parse/command-list.ts'
import { requiredStore } from '../flags/copy-stores.ts'
import { buildRequest } from '../parse/words.ts'
import { operate, type Command } from './command.ts'

/** Flags that affect an active run; a report only reads the ledger. */
const RUN_FLAGS = ['end', 'until-caught-up', 'until-equal', 'alert-exit'] as const

const follow: Command = {
  request: (args, context) => {
    const command = commandNamed('follow')
    if (command === null) throw new Error('follow is not a command')
    const report = givenText(args, 'report')
    if (report === undefined) return buildRequest('follow', FOLLOW_WORDS, { command, args, context })
    const other = RUN_FLAGS.find((name) => givenFlag(args, name))
    if (other !== undefined) {
      throw exclusive(`--${other}`, '--report', 'a report only reads the ledger: remove one of the two')
    }
    const to = requiredStore('to', args, context.defaults, context.env)
    const stream = givenText(args, 'run') ?? ''
    const add = to.origin === 'script' ? [to.printed] : []
    return operate(
      { kind: 'follow-report', stream, to: to.url, ...(report === '-' || report === '' ? {} : { report }) },
      { printed: { add } },
    )
  },
}

export const commands = { follow }
