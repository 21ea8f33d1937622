/** tokens: how rows lie on the ring of a table. */
import { count, list, text } from '../arguments.ts'
import { chooseEnd } from '../copy-ends.ts'
import { splitNames } from '../name-list.ts'
import { operate } from './command.ts'
import type { Command } from './command.ts'

/** More parts than that are more than anybody looks at. */
const MOST_PARTS = 10_000
const MOST_WINDOWS = 1_000_000

const tokens: Command = {
  request: (args, { env, defaults }) => {
    const from = chooseEnd('from', args, defaults, env)
    const add = from.origin === 'script' ? [from.printed] : []
    return operate(
      {
        kind: 'tokens',
        from: from.url,
        tables: list(args, 'table', 'TABLE').flatMap((word) => splitNames('TABLE', word)),
        splits: count(args, 'splits', 1, MOST_PARTS),
        sample: count(args, 'sample', 1, MOST_WINDOWS),
        seed: text(args, 'seed'),
      },
      { printed: { add } },
    )
  },
}

export const commands = { tokens }
