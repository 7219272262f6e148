// The photos of one form: each is read, measured by its digest and kept on the phone the moment it is taken, so that a
// page that dies loses none. The same picture twice is one.
import * as fix from "./phone-fix.js";
import * as queue from "./phone-queue.js";
import * as store from "./phone-store.js";
import { serverNow } from "./time.js";
import { icon } from "./words.js";

function claimNow() {
  const at = fix.current();
  const claim = { taken_at: new Date(serverNow()).toISOString() };
  if (at && at.accuracy_m < fix.POOR_M) claim.position = { lon: at.lon, lat: at.lat, crs: "wgs84", accuracy_m: at.accuracy_m };
  return claim;
}

export class Shots {
  /** changed() is called whenever a photo comes or goes; writing() gives the draft as it stands. */
  constructor(form, changed) {
    this.form = form;
    this.changed = changed;
    this.list = []; // {file, claim, frame, ready: {sha256, buffer}}
    this.writing = null;
    this.saving = Promise.resolve();
  }

  picked(input) {
    const camera = input.name === "photo";
    for (const file of input.files) this.add(file, camera ? claimNow() : null); // an older picture speaks by its own EXIF
    input.value = "";
    this.changed();
  }

  /** known: what the store says of a photo that lies there already. */
  add(file, claim, known = null) {
    const frame = document.createElement("div");
    frame.className = "photo";
    const image = document.createElement("img");
    image.alt = file.name;
    image.src = URL.createObjectURL(file);
    const drop = document.createElement("button");
    drop.type = "button";
    drop.className = "drop";
    drop.append(icon("ui-close"));
    const shot = { file, claim, frame, ready: this.#read(file) };
    drop.addEventListener("click", () => {
      this.#remove(shot);
      this.save();
    });
    frame.append(image, drop);
    this.list.push(shot);
    this.form.querySelector("[data-shots] .slot").before(frame);
    if (!known) this.save();
  }

  async #read(file) {
    const buffer = await file.arrayBuffer();
    return { buffer, sha256: await store.digest(buffer) };
  }

  #remove(shot) {
    this.list.splice(this.list.indexOf(shot), 1);
    URL.revokeObjectURL(shot.frame.querySelector("img").src);
    shot.frame.remove();
    this.changed();
  }

  /** Every photo as the outbox wants it: what it is, and its bytes. */
  async kept() {
    const [photos, fresh, seen] = [[], [], new Set()];
    for (const shot of [...this.list]) {
      const { sha256, buffer } = await shot.ready;
      if (seen.has(sha256)) {
        this.#remove(shot);
        continue;
      }
      seen.add(sha256);
      photos.push({ sha256, bytes: buffer.byteLength, claim: shot.claim ?? null, name: shot.file.name || "photo.jpg", here: false });
      fresh.push({ sha256, buffer, type: shot.file.type });
    }
    return { photos, fresh };
  }

  /** The draft as it is being written; one write after the other. */
  save() {
    if (!this.writing || !queue.mayKeep()) return;
    this.saving = this.saving.then(async () => {
      const { photos, fresh } = await this.kept();
      const now = this.writing();
      const held = await store.draft(now.id);
      if (held && held.state !== "writing") return; // it lies in the outbox already
      await store.keep({ ...now, made: held?.made ?? serverNow(), photos }, fresh);
      this.form.dataset.saved = String(photos.length);
    });
  }
}
