/** Accepts `spark-submit` command lines from guides of the Cassandra Data Migrator, with `sluice` as the program. */
import { SluiceError } from '../../shared/errors.ts'
import { COMMANDS } from '../parse/command-list.ts'
import { splitAtEnd, VALUE_FLAGS } from '../parse/globals.ts'

export type CdmJob = { readonly command: 'copy' | 'diff'; readonly ysql: boolean }

/** Options of spark-submit that take a value and only concern Java or Spark. */
const SPARK_OPTIONS: ReadonlySet<string> = new Set(
  (
    '--master --deploy-mode --name --jars --packages --exclude-packages --repositories --py-files --files --archives ' +
    '--driver-memory --driver-java-options --driver-library-path --driver-class-path --driver-cores --executor-memory ' +
    '--executor-cores --total-executor-cores --num-executors --proxy-user --queue --principal --keytab'
  ).split(' '),
)
const OWN_VALUES: ReadonlySet<string> = new Set(['--properties', '--properties-file', '--conf', '--class'])
/** Internal flag that carries ignored words through the parser, so that a note can name them. */
export const IDLE_FLAG = 'spark-word'

const JOBS: Readonly<Record<string, CdmJob>> = {
  Migrate: { command: 'copy', ysql: false },
  YugabyteMigrate: { command: 'copy', ysql: true },
  DiffData: { command: 'diff', ysql: false },
  YugabyteValidate: { command: 'diff', ysql: true },
}

/** @param word value of `--class` @throws SluiceError BAD_FLAG */
export function jobOf(word: string): CdmJob {
  const name = word.replace(/^.*\./, '')
  const job = Object.hasOwn(JOBS, name) ? JOBS[name] : undefined
  if (job !== undefined) return job
  if (name === 'GuardrailCheck') {
    throw new SluiceError('BAD_FLAG', 'sluice has no command for --class GuardrailCheck', {
      hint: 'a copy quarantines rows that are too large for the target; sluice tokens TABLE --from URL shows the largest partitions',
    })
  }
  throw new SluiceError('BAD_FLAG', `--class ${word} is not a program of the Cassandra Data Migrator`, {
    hint: `give one of ${Object.keys(JOBS).join(', ')}, with or without com.datastax.cdm.job before it`,
  })
}

/**
 * The words with the command that `--class` means, without the jar and options for Java. Other command lines are
 * returned unchanged.
 * @throws SluiceError BAD_FLAG
 */
export function fromSparkSubmit(argv: readonly string[]): readonly string[] {
  const [flags, rest] = splitAtEnd(argv)
  if (!flags.some((word) => /^--(?:class|properties|properties-file|conf)(?:=|$)/.test(word))) return argv
  const words: string[] = []
  const idle: string[] = []
  let command: string | null = null
  let asked: string | null = null
  for (let index = 0; index < flags.length; index += 1) {
    const word = flags[index] ?? ''
    const [name = ''] = word.split('=', 1)
    const next = flags[index + 1]
    if (SPARK_OPTIONS.has(name)) {
      idle.push(name)
      if (name === word) index += 1
    } else if (OWN_VALUES.has(name) || VALUE_FLAGS.has(name)) {
      if (name === '--class') asked = name === word ? (next ?? '') : word.slice(name.length + 1)
      words.push(word)
      if (name === word && next !== undefined) {
        words.push(next)
        index += 1
      }
    } else if (/\.jar$/i.test(word) && !word.startsWith('-')) idle.push(word)
    else {
      if (command === null && COMMANDS.some((one) => one.name === word)) command = word
      words.push(word)
    }
  }
  if (asked !== null) {
    const job = jobOf(asked)
    if (command === null) words.unshift(job.command)
    else if (command !== job.command) {
      throw new SluiceError('BAD_FLAG', `--class ${asked} is for ${job.command}, and the command is ${command}`, {
        hint: 'remove one of the two',
      })
    }
  }
  const carried = idle.flatMap((word) => [`--${IDLE_FLAG}`, word.replace(/^--/, '')])
  return [...words, ...carried, ...rest]
}
