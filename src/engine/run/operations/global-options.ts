/** Options that every command takes. A separate file, like `pages.ts`, so that `sluice --help` loads nothing else. */
import type { Option } from './option.ts'

export type GlobalOption = Option & {
  /** Text after the flag on the page, such as ` URL` or `=WHEN`. */
  readonly value?: string
  /** Set if the value is optional. */
  readonly bare?: true
}

/** Limits and default of the number of workers that share a run. */
export const TASK_LIMITS = { least: 1, most: 1000, fallback: 4 } as const

/** Global options, in the order of the page. `no-NAME` turns off what is on by default. */
export const GLOBAL_OPTIONS: readonly GlobalOption[] = [
  {
    name: 'database-url',
    type: 'text',
    value: ' URL',
    completes: 'database',
    describe: 'catalog URL; else $SLUICE_DATABASE_URL or the config file',
  },
  {
    name: 'schema',
    type: 'text',
    value: ' NAME',
    describe: 'schema of a PostgreSQL catalog; else $SLUICE_SCHEMA',
  },
  {
    name: 'config',
    type: 'text',
    value: ' FILE',
    completes: 'file',
    describe: 'YAML with stores and defaults of flags; else sluice.yaml',
  },
  { name: 'no-config', type: 'flag', describe: 'do not search for a sluice.yaml' },
  { name: 'ci', type: 'flag', default: false, describe: 'plain text, even in a terminal' },
  { name: 'json', type: 'flag', default: false, describe: 'JSON lines on stdout, one object per event' },
  { name: 'tui', type: 'flag', default: false, describe: 'the terminal UI, or an error when there is no terminal' },
  {
    name: 'background',
    type: 'flag',
    default: false,
    describe: 'start a run that continues when the terminal closes',
  },
  { name: 'distributed', type: 'flag', default: false, describe: 'give a run to the workers of a queue' },
  {
    name: 'connect',
    type: 'text',
    value: ' URL',
    completes: 'database',
    describe: 'URL of the queue; else connect: in the config file',
  },
  {
    name: 'queue',
    type: 'text',
    value: ' NAME',
    describe: 'with --distributed, the queue that the run waits in',
  },
  {
    name: 'tasks',
    type: 'number',
    value: ' N',
    ...TASK_LIMITS,
    describe: 'with --distributed, number of workers that share the run',
  },
  { name: 'quit', type: 'flag', default: false, describe: 'leave the Run screen when its run has ended' },
  { name: 'quiet', alias: 'q', type: 'flag', default: false, describe: 'only errors and the last line' },
  { name: 'verbose', alias: 'v', type: 'flag', default: false, config: 'default', describe: 'more detail' },
  {
    name: 'yes',
    alias: 'y',
    type: 'flag',
    default: false,
    describe: 'answer yes to questions that destroy nothing',
  },
  {
    name: 'confirm',
    type: 'text',
    value: '=NAME',
    describe: 'name of the table that may be removed',
  },
  { name: 'no-input', type: 'flag', describe: 'never ask' },
  {
    name: 'color',
    type: 'choice',
    choices: ['always', 'never', 'auto'],
    value: '=WHEN',
    bare: true,
    fallback: 'auto',
    describe: 'always, never or auto',
  },
  { name: 'no-color', type: 'flag', describe: 'the same as --color=never' },
  {
    name: 'ascii',
    type: 'flag',
    default: false,
    config: 'default',
    describe: 'only ASCII characters in the terminal UI',
  },
  { name: 'log-file', type: 'text', value: ' FILE', completes: 'file', describe: 'write every event to a file too' },
  {
    name: 'max-runtime',
    type: 'text',
    unit: 'duration',
    value: ' DUR',
    describe: 'stop the run cleanly after 90s, 30m or 2h (exit 75)',
  },
  {
    name: 'metrics',
    type: 'text',
    value: ' [HOST:]PORT',
    describe: 'serve Prometheus metrics at this address during a run',
  },
  {
    name: 'help',
    alias: 'h',
    type: 'choice',
    choices: ['all'],
    value: '[=all]',
    bare: true,
    describe: 'this page, or that of a command; all: every option',
  },
  { name: 'version', type: 'flag', describe: 'the version, as the first word only' },
]

/** The flag as pages show it: `-q, --quiet`, `--schema NAME`. */
export function shownFlag({ name, alias, value = '' }: GlobalOption): string {
  return `${alias === undefined ? '' : `-${alias}, `}--${name}${value}`
}

/** True if a value must follow. */
export function needsValue({ type, bare }: GlobalOption): boolean {
  return type !== 'flag' && bare !== true
}
