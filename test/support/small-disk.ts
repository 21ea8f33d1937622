/** A file system of a given size, to test full disks. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type Disk = Disposable & {
  readonly path: string
  /** Used bytes. */
  used(): number
  resize(bytes: number): void
}

/** Why no file system can be mounted; empty if one can. */
export const MOUNT_MISSING = whyNoMount()

/** @param bytes capacity; all users may write to it */
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
      // Processes that still have it open release it later.
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
