/** A file system of a given size, for what happens when it is full. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type Disk = Disposable & {
  readonly path: string
  /** Bytes that are taken. */
  used(): number
  resize(bytes: number): void
}

/** Why there can be none; empty where there can. */
export const MOUNT_MISSING = whyNoMount()

/** @param bytes that it can hold; all of its users may write to it */
export function smallDisk(bytes: number): Disk {
  const path = mkdtempSync(join(tmpdir(), 'sluice-disk-'))
  const mount = (options: string): void => {
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`mount -o ${options}: ${stderr}`)
  }
  mount(`size=${bytes},mode=1777`)
  return {
    path,
    used: () => {
      const { blocks, bfree, bsize } = statfsSync(path)
      return (blocks - bfree) * bsize
    },
    resize: (size) => mount(`remount,size=${Math.ceil(size)}`),
    [Symbol.dispose]: () => {
      const { status } = spawnSync('umount', [path])
      // What still holds it open lets go in its own time.
      if (status !== 0) spawnSync('umount', ['-l', path])
      rmSync(path, { recursive: true, force: true })
    },
  }
}

function whyNoMount(): string {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'mounting a small disk needs root on Linux'
  try {
    smallDisk(2 ** 20)[Symbol.dispose]()
    return ''
  } catch (error) {
    return `no small disk: ${String(error)}`
  }
}
