"""The literature's protocol: PSNR, SSIM, test sets."""
