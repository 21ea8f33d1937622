/** sync: bring what is new into the catalog, once or until stopped. */
import { isS3Url, parseLakeUrl } from '../../model/lake-url.ts'
import { SluiceError } from '../../shared/errors.ts'
import { count, flag, list, text } from '../arguments.ts'
import type { Arguments } from '../arguments.ts'
import { parseDuration } from '../duration.ts'
import { operate } from './command.ts'
import type { Command } from './command.ts'

const LEAST_INTERVAL_MS = 1000

/** The tables a command is about; none for all of them. @throws SluiceError BAD_FLAG unless it is tables or `--all` */
export function tablesOrAll(args: Arguments, operand: string, verb: string): readonly string[] {
  const tables = list(args, operand)
  const all = flag(args, 'all')
  // Refused before anything is printed, logged or recorded.
  for (const table of tables) if (isS3Url(table)) parseLakeUrl(table)
  if (all && tables.length > 0) {
    throw new SluiceError('BAD_FLAG', 'TABLE and --all exclude each other', { hint: 'leave one of the two out' })
  }
  if (!all && tables.length === 0) {
    throw new SluiceError('BAD_FLAG', `nothing is named to ${verb}`, {
      hint: 'name tables by path or table id, or say --all for every table of the catalog',
    })
  }
  return tables
}

const sync: Command = {
  request: (args, context) => {
    const tables = tablesOrAll(args, 'table', 'sync')
    const intervalMs = parseDuration('--interval', text(args, 'interval'))
    if (intervalMs < LEAST_INTERVAL_MS) throw new SluiceError('BAD_FLAG', '--interval takes one second or more')
    return operate({
      kind: 'sync',
      tables,
      catalog: context.catalog(),
      watch: flag(args, 'watch'),
      intervalMs,
      batchSize: count(args, 'batch-size', 1),
      parallel: count(args, 'parallel', 1, 64),
    })
  },
}

export const commands = { sync }
