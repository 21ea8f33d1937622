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
  declare: (yargs) => {
    yargs
      .positional('table', { type: 'string', array: true, describe: "a table or a pattern, such as 'shop.*'" })
      .option('from', {
        type: 'string',
        requiresArg: true,
        describe: 'URL of the database, such as cassandra://host/keyspace; else the config file',
      })
      .option('splits', {
        type: 'number',
        requiresArg: true,
        default: 64,
        describe: 'equal parts of the ring that are told apart',
      })
      .option('sample', {
        type: 'number',
        requiresArg: true,
        default: 256,
        describe: 'windows of some hundred rows that are read, at least one in each part',
      })
      .option('seed', {
        type: 'string',
        requiresArg: true,
        default: 'sluice',
        describe: 'where the windows lie; the same seed reads the same ones',
      })
  },
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
