// Powder patterns in kinematic theory: Lorentz-polarisation factor, no thermal motion, Cu Kα.
"use strict";

{
  const { cartesian, cell, cross, norm, places, rows } = window.chggen;
  const WAVELENGTH = 1.54184; // Å, Cu Kα
  const LAST = 90; // °, of 2θ
  const ALIKE = 0.02; // °, within which reflections are drawn as one
  const FAINT = 0.1; // of 100, below which they are left out

  /** The scattering factor of an element at s = sin θ / λ, in electrons. */
  const factor = (element, s2) =>
    element.number - 41.78214 * s2 * element.scattering.reduce((sum, [a, b]) => sum + a * Math.exp(-b * s2), 0);

  /** Reflections of a crystal: [{angle in °, intensity up to 100, hkl}], by angle. */
  const pattern = (crystal, elements) => {
    const lattice = rows(crystal);
    const volume = cell(crystal).volume;
    const reciprocal = [0, 1, 2].map((k) => cross(lattice[(k + 1) % 3], lattice[(k + 2) % 3]).map((x) => x / volume));
    const longest = (2 * Math.sin((LAST * Math.PI) / 360)) / WAVELENGTH;
    const most = lattice.map((row) => Math.floor(longest * norm(row)));
    const frac = places(crystal);
    const peaks = [];
    for (let h = -most[0]; h <= most[0]; h++)
      for (let k = -most[1]; k <= most[1]; k++)
        for (let l = -most[2]; l <= most[2]; l++) {
          const g = norm(cartesian({ lattice: reciprocal.flat() }, [h, k, l]));
          if (g < 1e-6 || g > longest) continue;
          const s2 = (g / 2) ** 2;
          const sine = (WAVELENGTH * g) / 2;
          const theta = Math.asin(sine);
          const strength = elements.map((element) => factor(element, s2));
          let [re, im] = [0, 0];
          for (let a = 0; a < frac.length; a++) {
            const phase = 2 * Math.PI * (h * frac[a][0] + k * frac[a][1] + l * frac[a][2]);
            re += strength[crystal.kinds[a]] * Math.cos(phase);
            im += strength[crystal.kinds[a]] * Math.sin(phase);
          }
          const lorentz = (1 + Math.cos(2 * theta) ** 2) / (sine ** 2 * Math.cos(theta));
          peaks.push({ angle: (360 * theta) / Math.PI, intensity: (re * re + im * im) * lorentz, hkl: [h, k, l] });
        }
    return merged(peaks.sort((x, y) => x.angle - y.angle));
  };

  /** Reflections at one angle added up, the strongest scaled to 100. */
  const merged = (peaks) => {
    const found = [];
    for (const peak of peaks) {
      const last = found.at(-1);
      if (last && peak.angle - last.angle < ALIKE) last.intensity += peak.intensity;
      else found.push({ ...peak });
    }
    const highest = Math.max(...found.map((peak) => peak.intensity));
    for (const peak of found) peak.intensity *= 100 / highest;
    return found.filter((peak) => peak.intensity > FAINT);
  };

  /** Draws a pattern into an SVG element, with its axis. */
  const drawPattern = (svg, peaks) => {
    const [width, height, left, bottom] = [600, 180, 36, 30];
    const x = (angle) => left + (angle / LAST) * (width - left - 8);
    const y = (intensity) => height - bottom - (intensity / 100) * (height - bottom - 8);
    const parts = [`<line class="axis" x1="${left}" x2="${width - 8}" y1="${y(0)}" y2="${y(0)}"/>`];
    for (let angle = 0; angle <= LAST; angle += 10)
      parts.push(`<text x="${x(angle)}" y="${y(0) + 14}" text-anchor="middle">${angle}</text>`);
    parts.push(`<text x="${x(LAST / 2)}" y="${height - 2}" text-anchor="middle">2θ in °, Cu Kα</text>`);
    parts.push(`<text x="12" y="${y(50)}" text-anchor="middle" transform="rotate(-90 12 ${y(50)})">intensity</text>`);
    for (const { angle, intensity, hkl } of peaks) {
      const said = `${angle.toFixed(2)}°, ${intensity.toFixed(1)} (${hkl.join(" ")})`;
      parts.push(`<line class="peak" x1="${x(angle)}" x2="${x(angle)}" y1="${y(0)}" y2="${y(intensity)}">`);
      parts.push(`<title>${said}</title></line>`);
    }
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.innerHTML = parts.join("");
  };

  Object.assign(window.chggen, { drawPattern, pattern });
}
