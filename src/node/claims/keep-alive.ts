/** Timers are no reason for a process to live on; somebody who waits for us is. */
export class KeepAlive {
  #users = 0
  #timer: NodeJS.Timeout | undefined

  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#users += 1
    this.#timer ??= setInterval(() => undefined, 2 ** 31 - 1)
    try {
      return await work()
    } finally {
      this.#users -= 1
      if (this.#users === 0) {
        clearInterval(this.#timer)
        this.#timer = undefined
      }
    }
  }
}
