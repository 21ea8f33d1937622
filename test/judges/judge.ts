/** An outside reader of Delta tables, kept alive over a suite: what `install` has installed, asked through `serve.py`. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

export const JUDGES = ['deltalake', 'polars', 'duckdb', 'delta-spark'] as const
export type JudgeName = (typeof JUDGES)[number]

const FOLDER =
  process.env['SLUICE_JUDGES'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'sluice-judges')

/** Why there are no judges; empty where they are installed. `.ci/run` requires them: then a missing one fails. */
export const JUDGES_MISSING: string =
  process.env['SLUICE_REQUIRE_JUDGES'] || existsSync(join(FOLDER, 'requirements.txt'))
    ? ''
    : 'skipped: no judges, test/judges/install FOLDER installs them, and SLUICE_JUDGES names the folder'

export type JudgedField = { readonly name: string; readonly type: unknown; readonly nullable: boolean | null }

export type Reading = {
  /** Null of a judge that does not say it. */
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
  /** SQL over a table `t`; all rows where there is none. */
  readonly query?: string
}

type Answer = Omit<Reading, 'rows'> | { readonly refused: string }

export class Judge implements AsyncDisposable {
  readonly name: JudgeName
  readonly folder: string
  readonly #child
  readonly #answers: AsyncIterator<string>
  readonly #ended: Promise<void>
  #said = ''
  #outputs = 0

  private constructor(name: JudgeName) {
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
    // Of one that has died the answer tells.
    this.#child.stdin.on('error', () => undefined)
    this.#child.stderr.on('data', (bytes: Buffer) => void (this.#said = (this.#said + bytes.toString()).slice(-4000)))
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** @throws Error with what it said where it does not start */
  static async start(name: JudgeName): Promise<Judge> {
    const judge = new Judge(name)
    await judge.#next()
    return judge
  }

  /** @returns what the judge read, or the reason for which it refuses the table */
  async ask({ root, version = null, query }: Question): Promise<Reading | { readonly refused: string }> {
    const rows = join(this.folder, `rows-${this.#outputs++}`)
    this.#child.stdin.write(`${JSON.stringify({ root, version, query: query ?? null, out: rows })}\n`)
    const answer = (await this.#next()) as Answer
    if ('refused' in answer) return answer
    return { ...answer, rows: this.name === 'delta-spark' ? join(rows, '*.parquet') : rows }
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
