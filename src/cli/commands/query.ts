/** query: its flags. */
import { text } from '../arguments.ts'
import { chooseEnd } from '../copy-ends.ts'
import { readRows } from '../row-flags.ts'
import { operate } from './command.ts'
import type { Command } from './command.ts'

const query: Command = {
  request: (args, { env, defaults }) => {
    const from = chooseEnd('from', args, defaults, env)
    return operate(
      {
        kind: 'query',
        from: from.url,
        table: text(args, 'table'),
        query: text(args, 'query'),
        ...readRows(args),
      },
      { printed: { add: from.origin === 'script' ? [from.printed] : [] } },
    )
  },
}

export const commands = { query }
