/** Outside readers, kept running during a suite: installed by `install`, queried through `serve.py`. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

export const JUDGES = ['deltalake', 'polars', 'duckdb', 'delta-spark'] as const
export type JudgeName = (typeof JUDGES)[number]

const FOLDER =
  process.env['SLUICE_JUDGES'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'sluice-judges')

const INSTALLED = join(FOLDER, 'requirements.txt')
const isInstalled = (requirement: string): boolean =>
  Boolean(process.env['SLUICE_REQUIRE_JUDGES']) ||
  (existsSync(INSTALLED) && readFileSync(INSTALLED, 'utf8').includes(requirement))
const HOW = 'test/judges/install FOLDER installs them, and SLUICE_JUDGES names the folder'

/**
 * Why the readers of Delta tables are missing; empty if they are installed. `.ci/run` requires all of them: then a
 * missing one fails.
 */
export const JUDGES_MISSING: string = isInstalled('deltalake==') ? '' : `skipped: no judges, ${HOW}`
/** The same for the reader of metrics. */
export const PROMETHEUS_MISSING: string = isInstalled('prometheus_client==')
  ? ''
  : `skipped: no judge of metrics, ${HOW}`

export type JudgedField = { readonly name: string; readonly type: unknown; readonly nullable: boolean | null }

export type Reading = {
  /** Null if the reader does not report it. */
  readonly version: number | null
  readonly schema: readonly JudgedField[]
  readonly partitionColumns: readonly string[] | null
  /** Parquet file, or folder of files, with columns c0, c1 … */
  readonly rows: string
}

export type Question = {
  readonly root: string
  /** Null for the newest. */
  readonly version?: number | null
  /** SQL on a table `t`; default: all rows. */
  readonly query?: string
}

type Answer = Omit<Reading, 'rows'> | { readonly refused: string }

/** One reader process for a suite. */
class JudgeProgram implements AsyncDisposable {
  readonly name: string
  readonly folder: string
  readonly #child
  readonly #answers: AsyncIterator<string>
  readonly #ended: Promise<void>
  #said = ''

  private constructor(name: string) {
    this.name = name
    this.folder = mkdtempSync(join(tmpdir(), 'sluice-judge-'))
    const serve = resolve(import.meta.dirname, 'serve.py')
    this.#child = spawn(join(FOLDER, 'venv', 'bin', 'python'), [serve, name], {
      cwd: this.folder,
      env: { ...process.env, SLUICE_JUDGES: FOLDER },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#ended = new Promise((done) => {
      this.#child.once('error', (error) => {
        this.#said += String(error)
        done()
      })
      this.#child.once('close', () => done())
    })
    // If the process has died, the answer reports it.
    this.#child.stdin.on('error', () => undefined)
    this.#child.stderr.on('data', (bytes: Buffer) => void (this.#said = (this.#said + bytes.toString()).slice(-4000)))
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** @throws Error with its output if it does not start */
  static async start(name: string): Promise<JudgeProgram> {
    const program = new JudgeProgram(name)
    await program.#next()
    return program
  }

  async ask(question: object): Promise<unknown> {
    this.#child.stdin.write(`${JSON.stringify(question)}\n`)
    return await this.#next()
  }

  async #next(): Promise<unknown> {
    const next = await this.#answers.next()
    if (next.done !== true) return JSON.parse(next.value) as unknown
    await this.#ended
    throw new Error(`the judge ${this.name} has ended: ${this.#said}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end()
    await this.#ended
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export class Judge implements AsyncDisposable {
  readonly #program: JudgeProgram
  #outputs = 0

  private constructor(program: JudgeProgram) {
    this.#program = program
  }

  /** @throws Error with its output if it does not start */
  static async start(name: JudgeName): Promise<Judge> {
    return new Judge(await JudgeProgram.start(name))
  }

  get name(): JudgeName {
    return this.#program.name as JudgeName
  }

  get folder(): string {
    return this.#program.folder
  }

  /** @returns the rows that were read, or the error with which the table was refused */
  async ask({ root, version = null, query }: Question): Promise<Reading | { readonly refused: string }> {
    const rows = join(this.folder, `rows-${this.#outputs++}`)
    const answer = (await this.#program.ask({ root, version, query: query ?? null, out: rows })) as Answer
    if ('refused' in answer) return answer
    return { ...answer, rows: this.name === 'delta-spark' ? join(rows, '*.parquet') : rows }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]()
  }
}

export type JudgedSample = readonly [name: string, labels: Readonly<Record<string, string>>, value: string]
export type JudgedFamily = {
  /** For a counter without its `_total`. */
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: readonly JudgedSample[]
}

/** As sent by Prometheus: the content type of the answer states its format. */
const ACCEPTED = 'application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'

export class MetricsJudge implements AsyncDisposable {
  readonly #program: JudgeProgram

  private constructor(program: JudgeProgram) {
    this.#program = program
  }

  /** @throws Error with its output if it does not start */
  static async start(): Promise<MetricsJudge> {
    return new MetricsJudge(await JudgeProgram.start('prometheus'))
  }

  /** Requests the metrics like Prometheus. @throws Error with the part of the answer that is refused */
  async scrape(url: string): Promise<readonly JudgedFamily[]> {
    const answer = await fetch(url, { headers: { accept: ACCEPTED } })
    const read = await this.#program.ask({ contentType: answer.headers.get('content-type'), body: await answer.text() })
    if (typeof read === 'object' && read !== null && 'families' in read) return read.families as JudgedFamily[]
    throw new Error(`the judge refuses it: ${JSON.stringify(read)}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]()
  }
}

/**
 * Rows of the newest version of an archive as `judge_values` prints them: by column name in the files, with exact texts
 * of values.
 */
export class ValuesJudge implements AsyncDisposable {
  readonly #program: JudgeProgram

  private constructor(program: JudgeProgram) {
    this.#program = program
  }

  /** @throws Error with its output if it does not start */
  static async start(): Promise<ValuesJudge> {
    return new ValuesJudge(await JudgeProgram.start('values'))
  }

  /** @throws Error with the reason if the archive is refused */
  async read(root: string): Promise<readonly Readonly<Record<string, string | null>>[]> {
    const read = await this.#program.ask({ root })
    if (typeof read === 'object' && read !== null && 'rows' in read) {
      return read.rows as readonly Readonly<Record<string, string | null>>[]
    }
    throw new Error(`the judge refuses it: ${JSON.stringify(read)}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]()
  }
}
