/**
 * Writes a `_delta_log` under a temporary name and renames it as a whole: a folder with the final name is always
 * complete. The next run removes leftovers of a killed run.
 */
import { createHash, randomBytes, type Hash } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat, utimes, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { SluiceError } from '../../../shared/errors.ts'
import { permissionDenied, spaceExhausted } from '../../../shared/guide-errors.ts'
import { makeDurableFolder } from '../../../shared/durable-files.ts'
import { syncPath } from '../../../shared/sync-path.ts'
import { isLeftover, isUnmarkedLeftover, MARK, ownMark } from '../../../shared/process-mark.ts'

/** A commit as text: its lines with their numbers, and size, digest and time of the original file if known. */
export type CommitText = {
  readonly bytes: number | null
  readonly digest: Uint8Array | null
  /** ms since the epoch. */
  readonly modified: number | null
  lines(): AsyncIterable<readonly { readonly line: number; readonly raw: string }[]>
}

export type WrittenCommit = { readonly lines: number; readonly bytes: number; readonly identical: boolean }

const PARTIAL = new RegExp(String.raw`^_delta_log\.partial-${MARK}-[0-9a-f]{8}$`)
/** Name used by older versions of sluice: id and start of the process. */
const OLD_PARTIAL = /^_delta_log\.partial-(\d+)-\d+-[0-9a-f]{8}$/
const BUFFER_BYTES = 1 << 20
export class NewLog implements AsyncDisposable {
  /** Temporary folder of the files until `publish`. */
  readonly folder: string
  /** The final folder. */
  readonly target: string
  readonly #parent: string

  private constructor(parent: string, folder: string) {
    this.#parent = parent
    this.folder = folder
    this.target = join(parent, '_delta_log')
  }

  /**
   * Makes the folder `to` if needed, and an empty log in it.
   * @throws SluiceError BAD_FLAG if there is a log already, TARGET_DENIED, NO_SPACE, TARGET_IO
   */
  static async begin(to: string): Promise<NewLog> {
    try {
      await makeDurableFolder(to)
      await refuseExisting(join(to, '_delta_log'))
      for (const name of await readdir(to)) {
        if (await isAbandoned(to, name)) await rm(join(to, name), { recursive: true, force: true })
      }
      const name = `_delta_log.partial-${ownMark()}-${randomBytes(4).toString('hex')}`
      await mkdir(join(to, name))
      return new NewLog(to, join(to, name))
    } catch (error) {
      throw asTargetError(error, join(to, '_delta_log'))
    }
  }

  /**
   * Writes a commit, with its original bytes if they can be restored.
   * @returns number of lines, bytes, and whether the digest is equal to the digest of the original
   */
  async writeCommit(name: string, commit: CommitText): Promise<WrittenCommit> {
    const file = join(this.folder, name)
    const plain = await writeForm(file, commit, PLAIN)
    let written: WrittenCommit = plain
    for (const form of formsBySize(plain, commit.bytes)) {
      if (written.identical) break
      written = await writeForm(file, commit, form)
    }
    if (written !== plain && !written.identical) written = await writeForm(file, commit, PLAIN)
    await setTime(file, commit.modified)
    return written
  }

  /** Writes a small file, replacing an existing one. */
  async replaceText(name: string, text: string): Promise<void> {
    await using handle = await open(join(this.folder, name), 'w')
    await handle.writeFile(text)
    await handle.sync()
  }

  async setTime(name: string, modified: number | null): Promise<void> {
    await setTime(join(this.folder, name), modified)
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.folder, name))
  }

  /** Moves the log to its final name; durable when it returns. */
  async publish(): Promise<void> {
    await syncPath(this.folder)
    await refuseExisting(this.target)
    await rename(this.folder, this.target)
    await syncPath(this.#parent)
  }

  /** Removes a log that was not published. */
  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }
}

/** Byte order mark and line break of a commit. `end`: number of line breaks after the last line, if not 0 or 1. */
type Form = { readonly mark: string; readonly lineBreak: string; readonly end?: number }
const PLAIN: Form = { mark: '', lineBreak: '\n' }
const BYTE_ORDER_MARK = '\ufeff'
/** Maximum number of line breaks at the end of a commit that are tried. */
const MOST_BLANK = 16

type Formed = WrittenCommit & {
  /** Bytes without the last line break. */
  readonly body: number
  /** Line breaks, including those of blank lines and the last one. */
  readonly breaks: number
}

/** Forms in which the commit would have the size of the original; none if it already has this size. */
function formsBySize({ bytes, body, breaks }: Formed, original: number | null): readonly Form[] {
  if (breaks === 0 || original === null || original === bytes) return []
  const forms: Form[] = []
  for (const mark of ['', BYTE_ORDER_MARK]) {
    for (const lineBreak of ['\n', '\r\n']) {
      const size = body + Buffer.byteLength(mark) + (lineBreak.length - 1) * (breaks - 1)
      const end = (original - size) / lineBreak.length
      if (Number.isInteger(end) && end >= 0 && end <= MOST_BLANK) forms.push({ mark, lineBreak, end })
    }
  }
  return forms
}

/** Writes one form of a commit; without the last line break if that gives the original's size. */
async function writeForm(file: string, commit: CommitText, form: Form): Promise<Formed> {
  const handle = await open(file, 'w')
  try {
    const { lineBreak } = form
    const out = new HashedOutput(handle)
    out.take(form.mark)
    let lines = 0
    let breaks = 0
    let next = 1
    for await (const page of commit.lines()) {
      for (const { line, raw } of page) {
        const blank = Math.max(0, line - next)
        out.take(`${lines === 0 ? '' : lineBreak}${lineBreak.repeat(blank)}${raw}`)
        lines++
        breaks += blank + 1
        // An object that was spread over several lines has line breaks in it.
        next = line + 1 + (raw.includes('\n') ? raw.split('\n').length - 1 : 0)
        if (out.waiting >= BUFFER_BYTES) await out.flush()
      }
    }
    const body = out.bytes
    if (lines > 0) out.take(lineBreak.repeat(form.end ?? (body === commit.bytes ? 0 : 1)))
    await out.flush()
    await handle.sync()
    const identical = commit.digest !== null && out.digest().equals(commit.digest)
    return { lines, bytes: out.bytes, identical, body, breaks }
  } finally {
    await handle.close()
  }
}

/** Writes text to a file through a buffer; counts and hashes it. */
class HashedOutput {
  readonly #handle: FileHandle
  readonly #hash: Hash = createHash('sha256')
  #held: Buffer[] = []
  waiting = 0
  bytes = 0

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  take(text: string): void {
    const chunk = Buffer.from(text)
    this.#hash.update(chunk)
    this.#held.push(chunk)
    this.waiting += chunk.length
    this.bytes += chunk.length
  }

  async flush(): Promise<void> {
    await this.#handle.writeFile(Buffer.concat(this.#held))
    this.#held = []
    this.waiting = 0
  }

  digest(): Buffer {
    return this.#hash.digest()
  }
}

/** `utimes` takes seconds as a double, which is inexact: one microsecond more gives the right millisecond. */
async function setTime(file: string, modified: number | null): Promise<void> {
  if (modified === null) return
  const seconds = (modified * 1_000 + 1) / 1_000_000
  await utimes(file, seconds, seconds)
}

/** Refuses a folder that is not empty. An empty one is allowed, because the rename replaces it. */
async function refuseExisting(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  if (names.length === 0) return
  throw new SluiceError('BAD_FLAG', `${folder} is not empty`, {
    hint: 'name a folder that does not exist yet or is empty: sluice never overwrites an existing log',
  })
}

/** True if a folder is the unfinished log of a run that has ended. */
async function isAbandoned(folder: string, name: string): Promise<boolean> {
  const marked = PARTIAL.exec(name)
  const [, pid] = OLD_PARTIAL.exec(name) ?? []
  if (marked === null && pid === undefined) return false
  const found = await stat(join(folder, name)).catch(() => null)
  if (found === null) return false
  return marked === null ? isUnmarkedLeftover(Number(pid), found.mtimeMs) : isLeftover(marked.slice(1), found.mtimeMs)
}

/** Maps a file system error on the written folder to an error of the target. */
export function asTargetError(error: unknown, path: string): unknown {
  if (error instanceof SluiceError || !(error instanceof Error) || !('code' in error)) return error
  const { code = '', message } = error as NodeJS.ErrnoException
  const where = `${path}: ${message}`
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SluiceError(...spaceExhausted({ where, cause: error }, ', then run the same command again'))
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new SluiceError(...permissionDenied('TARGET_DENIED', { where, cause: error }))
  }
  return new SluiceError('TARGET_IO', 'the log cannot be written', {
    where,
    hint: 'name another folder with --to',
    cause: error,
  })
}
