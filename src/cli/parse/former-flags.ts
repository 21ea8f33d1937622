/** Replaces old names of flags, which are accepted until December 2027. Printed commands use the new names. */
import { firstWord } from './globals.ts'

/** New names by old ones. */
const RENAMED: ReadonlyMap<string, string> = new Map([
  ['lanes', 'apply-workers'],
  ['slots', 'tasks'],
  ['patience', 'lock-timeout'],
  ['budget', 'retry-limit'],
])
/** New names by old ones for `partition`, which has workers but no apply workers. */
const RENAMED_FOR_PARTITION: ReadonlyMap<string, string> = new Map([['lanes', 'workers']])

/** Replaces each old name of a flag by its new name. Words after `--` stay unchanged. */
export function currentFlags(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--')
  const isPartition = firstWord(argv) === 'partition'
  return argv.map((word, at) => {
    const [, name = '', rest = ''] = /^--([a-z]+)(=.*)?$/s.exec(word) ?? []
    const now = (isPartition ? RENAMED_FOR_PARTITION.get(name) : undefined) ?? RENAMED.get(name)
    return now === undefined || (end !== -1 && at > end) ? word : `--${now}${rest}`
  })
}
