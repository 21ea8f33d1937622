/**
 * A `_delta_log` that is written beside its place and moved there as a whole: whoever finds a folder of that name finds all of it. What a killed
 * run has left is removed by the next one.
 */
import { createHash, randomBytes, type Hash } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat, utimes, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { SluiceError } from '../../../shared/errors.ts'
import { permissionDenied, spaceExhausted } from '../../../shared/guide-errors.ts'
import { makeFolder } from '../../../shared/make-folder.ts'
import { isLeft, isLeftUnmarked, MARK, ownMark } from '../../../shared/process-mark.ts'

/** A commit as text: its lines with their numbers, and what the original file was like where that is known. */
export type CommitText = {
  readonly bytes: number | null
  readonly digest: Uint8Array | null
  /** ms since the epoch. */
  readonly modified: number | null
  lines(): AsyncIterable<readonly { readonly line: number; readonly raw: string }[]>
}

export type WrittenCommit = { readonly lines: number; readonly bytes: number; readonly identical: boolean }

const PARTIAL = new RegExp(String.raw`^_delta_log\.partial-${MARK}-[0-9a-f]{8}$`)
/** As older programs name it: number and start of the process. */
const OLD_PARTIAL = /^_delta_log\.partial-(\d+)-\d+-[0-9a-f]{8}$/
const BUFFER_BYTES = 1 << 20
export class NewLog implements AsyncDisposable {
  /** Where files go until `publish`. */
  readonly folder: string
  /** Where they will be. */
  readonly target: string
  readonly #parent: string

  private constructor(parent: string, folder: string) {
    this.#parent = parent
    this.folder = folder
    this.target = join(parent, '_delta_log')
  }

  /**
   * Makes the folder `to` if need be and an empty log in it.
   * @throws SluiceError BAD_FLAG when there is a log already, TARGET_DENIED, NO_SPACE, TARGET_IO
   */
  static async begin(to: string): Promise<NewLog> {
    try {
      await makeFolder(to)
      await refuseExisting(join(to, '_delta_log'))
      for (const name of await readdir(to)) {
        if (await isAbandoned(to, name)) await rm(join(to, name), { recursive: true, force: true })
      }
      const name = `_delta_log.partial-${ownMark()}-${randomBytes(4).toString('hex')}`
      await mkdir(join(to, name))
      return new NewLog(to, join(to, name))
    } catch (error) {
      throw unwritable(error, join(to, '_delta_log'))
    }
  }

  /**
   * Writes a commit, in the bytes it had where they can be told.
   * @returns the number of its lines, and whether the digest is that of the original
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

  /** Writes a small file whole. */
  async replaceText(name: string, text: string): Promise<void> {
    const handle = await open(join(this.folder, name), 'w')
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
  }

  async setTime(name: string, modified: number | null): Promise<void> {
    await setTime(join(this.folder, name), modified)
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.folder, name))
  }

  /** Moves the log to its place; afterwards it is on the disk under its name. */
  async publish(): Promise<void> {
    await syncFolder(this.folder)
    await refuseExisting(this.target)
    await rename(this.folder, this.target)
    await syncFolder(this.#parent)
  }

  /** Removes what was not published. */
  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }
}

/** What the bytes between the lines are. `end` is how many line breaks follow the last line, where it is not one or none. */
type Form = { readonly mark: string; readonly lineBreak: string; readonly end?: number }
const PLAIN: Form = { mark: '', lineBreak: '\n' }
const BYTE_ORDER_MARK = '\ufeff'
/** More blank lines at the end than this are not looked for. */
const MOST_BLANK = 16

type Formed = WrittenCommit & {
  /** Bytes without the last line break. */
  readonly body: number
  /** Line breaks, those of blank lines and the last one included. */
  readonly breaks: number
}

/** Other forms that would have the size of the original. */
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

/** Writes one form of a commit; the last line break is left out where that gives the original's size. */
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
        // An object that was spread over several lines is one with line breaks in it.
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

/** Text to a file through a buffer, counted and hashed. */
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

/** File systems take seconds as a fraction, which a double cannot hold exactly: a microsecond more, and the millisecond is right. */
async function setTime(file: string, modified: number | null): Promise<void> {
  if (modified === null) return
  const seconds = (modified * 1_000 + 1) / 1_000_000
  await utimes(file, seconds, seconds)
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** An empty folder may be in the place: a rename puts the log there all the same. */
async function refuseExisting(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  if (names.length === 0) return
  throw new SluiceError('BAD_FLAG', `${folder} is not empty`, {
    hint: 'name a folder that does not exist yet: an existing log is never written over',
  })
}

/** Whether a folder is the unfinished log of a run that is no more. */
async function isAbandoned(folder: string, name: string): Promise<boolean> {
  const marked = PARTIAL.exec(name)
  const [, pid] = OLD_PARTIAL.exec(name) ?? []
  if (marked === null && pid === undefined) return false
  const found = await stat(join(folder, name)).catch(() => null)
  if (found === null) return false
  return marked === null ? isLeftUnmarked(Number(pid), found.mtimeMs) : isLeft(marked.slice(1), found.mtimeMs)
}

/** What the file system says of the folder that is written, as an error of the target's kind. */
export function unwritable(error: unknown, path: string): unknown {
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
